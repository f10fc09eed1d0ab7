internal import Core
internal import JOSE

/// What a browser sends of a registration: `PublicKeyCredential.toJSON()` (WebAuthn level 3 section 5.1).
public struct PasskeyRegistration: Sendable {
    let clientData: [UInt8]
    let attestation: [UInt8]
    let transports: [String]

    /// - Returns: nil for what is no such JSON.
    public init?(json: [UInt8]) {
        guard let answer = PasskeyJSON.value(json).flatMap(PasskeyJSON.credential),
            let response = answer["response"],
            let clientData = PasskeyJSON.bytes(response["clientDataJSON"]),
            let attestation = PasskeyJSON.bytes(response["attestationObject"])
        else { return nil }
        self.clientData = clientData
        self.attestation = attestation
        let known: Set<String> = ["usb", "nfc", "ble", "internal", "hybrid", "smart-card"]
        transports = (response["transports"]?.strings ?? []).prefix(8).filter(known.contains)
    }
}

/// What a browser sends of a proof.
public struct PasskeyProof: Sendable {
    let credentialID: [UInt8]
    let clientData: [UInt8]
    let authenticatorData: [UInt8]
    let signature: [UInt8]
    /// Whom the authenticator knows it as.
    let userHandle: [UInt8]?

    /// - Returns: nil for what is no such JSON.
    public init?(json: [UInt8]) {
        guard let answer = PasskeyJSON.value(json) else { return nil }
        self.init(answer)
    }

    /// - Returns: nil for what is no `PublicKeyCredential`.
    init?(_ value: JSONValue) {
        guard let answer = PasskeyJSON.credential(value), let response = answer["response"],
            let credentialID = PasskeyJSON.bytes(answer["rawId"] ?? answer["id"]),
            (1...1023).contains(credentialID.count),
            answer["id"].map({ PasskeyJSON.bytes($0)?.isEmpty == false }) ?? true,
            let clientData = PasskeyJSON.bytes(response["clientDataJSON"]),
            let authenticatorData = PasskeyJSON.bytes(response["authenticatorData"]),
            let signature = PasskeyJSON.bytes(response["signature"])
        else { return nil }
        self.credentialID = credentialID
        self.clientData = clientData
        self.authenticatorData = authenticatorData
        self.signature = signature
        userHandle = PasskeyJSON.bytes(response["userHandle"])
    }
}

private enum PasskeyJSON {
    private static let limits = JSONLimits(bytes: 65_536, depth: 8)

    static func value(_ json: [UInt8]) -> JSONValue? { try? JSONReader.parse(json, limits: limits) }

    static func credential(_ value: JSONValue) -> JSONValue? {
        value["type"]?.equals("public-key") == true ? value : nil
    }

    static func bytes(_ value: JSONValue?) -> [UInt8]? {
        value?.string.flatMap { Base64URL.decode($0) }
    }
}

/// What a page asks an authenticator for (WebAuthn level 3 sections 5.4 and 5.5), as JSON.
enum PasskeyOptions {
    private static let timeout = 300_000

    static func creation(
        _ challenge: String, for user: UserRecord, excluding known: [PasskeyRecord], site: String,
        _ policy: PasskeyPolicy
    ) -> [UInt8] {
        var options = JSONWriter(capacity: 1024)
        options.member("challenge", challenge)
        options.object("rp") { rp in
            rp.member("id", policy.relyingParty)
            rp.member("name", site)
        }
        options.object("user") { object in
            // Opaque, so that an authenticator gives no name away.
            object.member("id", Base64URL.encode(Array(user.id.utf8)))
            object.member("name", user.username)
            object.member("displayName", user.name.isEmpty ? user.username : user.name)
        }
        options.array("pubKeyCredParams", of: PasskeyAlgorithm.allCases) { object, algorithm in
            object.member("type", "public-key")
            object.member("alg", algorithm.rawValue)
        }
        options.member("timeout", timeout)
        options.array("excludeCredentials", of: known, descriptor)
        options.object("authenticatorSelection") { object in
            object.member("residentKey", "preferred")
            object.member("requireResidentKey", false)
            object.member("userVerification", policy.userVerification.rawValue)
        }
        options.member("attestation", "none")
        return options.finish()
    }

    /// - Parameter known: the credentials that will do; empty: whichever the person picks.
    static func request(_ challenge: String, allowing known: [PasskeyRecord], _ policy: PasskeyPolicy) -> [UInt8] {
        var options = JSONWriter(capacity: 512)
        options.member("challenge", challenge)
        options.member("timeout", timeout)
        options.member("rpId", policy.relyingParty)
        options.array("allowCredentials", of: known, descriptor)
        options.member("userVerification", policy.userVerification.rawValue)
        return options.finish()
    }

    private static func descriptor(_ object: inout JSONWriter, _ record: PasskeyRecord) {
        object.member("type", "public-key")
        object.member("id", record.credentialID)
        object.member("transports", record.transports)
    }
}
