internal import Accounts
internal import Core
internal import FoundationEssentials

extension Endpoint {
    static let passkeyOperations: [Endpoint] = [
        api("POST", "/passkeys/register/options") { try $0.apiPasskeyCreation() },
        api("POST", "/passkeys/register") { try await $0.apiAddPasskey() },
        api("POST", "/passkeys/login/options") { try $0.apiPasskeyRequest() },
        api("POST", "/passkeys/login") { try await $0.apiPasskeyLogin() },
        api("GET", "/passkeys") { try $0.apiPasskeys() },
        api("PATCH", "/passkeys/{id}") { try await $0.apiRenamePasskey() },
        api("DELETE", "/passkeys/{id}") { try await $0.apiRemovePasskey() },
    ]
}

private enum PasskeyWire {
    /// Beside the members of a `PublicKeyCredential`.
    struct More: APIBody {
        var name: String?
        var code: String?
        var deviceName: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name
            case code = "two_factor_code"
            case deviceName = "device_name"
        }
    }

    struct Name: APIBody {
        var name: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name
        }
    }

    /// Codes are shown this once, with the first factor.
    struct Added: Encodable {
        var view: View
        var backupCodes: [String]

        enum CodingKeys: String, CodingKey {
            case backupCodes = "backup_codes"
        }

        func encode(to encoder: any Encoder) throws {
            try view.encode(to: encoder)
            guard !backupCodes.isEmpty else { return }
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(backupCodes, forKey: .backupCodes)
        }
    }

    struct View: Encodable {
        var id: String
        var name: String
        var createdAt: String
        var lastUsedAt: String?
        var backedUp: Bool

        enum CodingKeys: String, CodingKey {
            case id, name
            case createdAt = "created_at"
            case lastUsedAt = "last_used_at"
            case backedUp = "backed_up"
        }

        init(_ passkey: Passkey) {
            id = passkey.id
            name = passkey.name
            createdAt = passkey.createdAt.rfc3339
            lastUsedAt = passkey.lastUsedAt?.rfc3339
            backedUp = passkey.backedUp
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(id, forKey: .id)
            try container.encode(name, forKey: .name)
            try container.encode(createdAt, forKey: .createdAt)
            try container.encode(lastUsedAt, forKey: .lastUsedAt)
            try container.encode(backedUp, forKey: .backedUp)
        }
    }
}

/// The passkey that stands beside a first proof. It is read from the body as it came.
struct SecondPasskey: Decodable {
    init(from decoder: any Decoder) throws { _ = try decoder.container(keyedBy: PasskeyWire.Name.CodingKeys.self) }
}

extension PortalRequest {
    /// The second factor of whoever has a passkey that has not verified who holds it, beside the first proof.
    func secondPasskey(_ body: JSONBody) throws(PortalFailure) -> PasskeyProof? {
        guard body.has("passkey") else { return nil }
        guard !body.has("two_factor_code") else {
            throw .invalidRequest("Give either a code or a passkey as the second factor.")
        }
        guard let proof = body.passkey("passkey") else { throw Self.unreadable }
        return proof
    }

    private func options(_ bytes: [UInt8]) -> Answer {
        Answer(status: 200, headers: Self.apiHeaders + [(name: "Content-Type", value: "application/json")], body: bytes)
    }

    private static let unreadable = PortalFailure(
        status: 400, code: "invalid_request", detail: "The body is no PublicKeyCredential as JSON.")

    func apiPasskeyCreation() throws -> Answer { options(try operations.beginPasskey(try writer())) }

    func apiAddPasskey() async throws -> Answer {
        let principal = try writer()
        let more = try body(PasskeyWire.More.self)
        guard let registration = PasskeyRegistration(json: local.body) else { throw Self.unreadable }
        let (passkey, secrets, codes) = try await operations.addPasskey(
            principal, registration, name: more.name ?? "", givesCodes: true, from: client())
        return try json(PasskeyWire.Added(view: PasskeyWire.View(passkey), backupCodes: codes), status: 201).setting(
            secrets.map(cookies.session) ?? [])
    }

    func apiPasskeyRequest() throws -> Answer { options(try operations.beginPasskeySignIn()) }

    func apiPasskeyLogin() async throws -> Answer {
        let more = try body(PasskeyWire.More.self)
        guard let proof = PasskeyProof(json: local.body) else { throw Self.unreadable }
        let signedIn = try await operations.signIn(
            passkey: proof, code: more.code, as: .api, from: client(deviceName: more.deviceName))
        guard let tokens = signedIn.tokens else { throw PortalFailure.notFound }
        return try json(tokens: tokens)
    }

    func apiPasskeys() throws -> Answer {
        let all = try operations.passkeys(of: try principal())
        let part = try listPart()
        let page = try ListPage(of: all, limit: part.limit, before: part.before, id: \.id, time: \.createdAt)
        return try json(page.items.map(PasskeyWire.View.init), part, next: page.next)
    }

    func apiRenamePasskey() async throws -> Answer {
        let principal = try writer()
        try await operations.renamePasskey(
            parameters["id"] ?? "", of: principal, to: try body(PasskeyWire.Name.self).name, from: client())
        return Self.noContent
    }

    func apiRemovePasskey() async throws -> Answer {
        try await operations.removePasskey(parameters["id"] ?? "", of: try writer(), from: client())
        return Self.noContent
    }
}
