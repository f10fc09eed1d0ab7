internal import Accounts
internal import Core

extension Endpoint {
    static let factorOperations: [Endpoint] = [
        api("POST", "/2fa/setup") { try await $0.apiSetUpTOTP() },
        api("POST", "/2fa/verify") { try await $0.apiConfirmTOTP() },
        api("POST", "/2fa/disable") { try await $0.apiDisableTOTP() },
        api("POST", "/2fa/backup-codes") { try await $0.apiRenewBackupCodes() },
    ]
}

private enum FactorWire {
    struct Code: APIBody {
        var code: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case code
        }
    }

    /// Shown once.
    struct SetUp: Encodable {
        var secret: String
        var uri: String
        var picture: String
        var backupCodes: [String]

        enum CodingKeys: String, CodingKey {
            case secret
            case uri = "otpauth_uri"
            case picture = "qr_code"
            case backupCodes = "backup_codes"
        }
    }

    /// Shown once.
    struct Codes: Encodable {
        var backupCodes: [String]

        enum CodingKeys: String, CodingKey {
            case backupCodes = "backup_codes"
        }
    }
}

extension PortalRequest {
    func apiSetUpTOTP() async throws -> Answer {
        let setUp = try await operations.setUpTOTP(try writer(), showsCodes: true, from: client())
        guard let picture = QRCode(setUp.uri)?.pngAddress else {
            throw PortalFailure(status: 500, code: "internal", detail: "The picture could not be made.")
        }
        return try json(
            FactorWire.SetUp(
                secret: setUp.secret, uri: setUp.uri, picture: picture, backupCodes: setUp.backupCodes))
    }

    func apiConfirmTOTP() async throws -> Answer {
        let principal = try writer()
        let code = try body(FactorWire.Code.self).code
        // The codes that are good are those of the set-up; others would be seen by nobody.
        let (secrets, _) = try await operations.confirmTOTP(principal, code: code, givesCodes: false, from: client())
        return Self.noContent.setting(secrets.map(cookies.session) ?? [])
    }

    func apiDisableTOTP() async throws -> Answer {
        let principal = try writer()
        try await operations.disableTOTP(principal, code: try body(FactorWire.Code.self).code, from: client())
        return Self.noContent
    }

    func apiRenewBackupCodes() async throws -> Answer {
        let principal = try writer()
        let code = try body(FactorWire.Code.self).code
        return try json(
            FactorWire.Codes(
                backupCodes: try await operations.renewBackupCodes(principal, code: code, from: client())))
    }
}
