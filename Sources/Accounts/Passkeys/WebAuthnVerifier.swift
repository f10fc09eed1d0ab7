internal import CFido2
internal import Core
internal import Cryptography
internal import JOSE

/// What this site is to authenticators.
public struct PasskeyPolicy: Sendable {
    /// How much an authenticator must know of who holds it.
    public enum UserVerification: String, Sendable, CaseIterable {
        case required, preferred, discouraged
    }

    /// `login.passkeys.enabled`.
    public var isEnabled: Bool
    /// `login.passkeys.rp_id`.
    public var relyingParty: String
    /// The origins of pages that may use them: that of `public_url`, and `login.passkeys.origins`.
    public var origins: [String]
    /// `login.passkeys.user_verification`.
    public var userVerification: UserVerification

    /// None unless an RP id and an origin are named.
    public init(
        isEnabled: Bool = false, relyingParty: String = "", origins: [String] = [],
        userVerification: UserVerification = .preferred
    ) {
        self.isEnabled = isEnabled
        self.relyingParty = relyingParty
        self.origins = origins
        self.userVerification = userVerification
    }
}

/// The signature algorithms that are taken (COSE), the one that is liked best first.
enum PasskeyAlgorithm: Int, Sendable, Codable, CaseIterable {
    case es256 = -7
    case eddsa = -8
    case rs256 = -257
}

/// A credential that a registration has proved.
struct NewPasskey: Sendable {
    let credentialID: [UInt8]
    let algorithm: PasskeyAlgorithm
    /// As libfido2 takes it.
    let publicKey: [UInt8]
    let head: AuthenticatorData
    let format: String
}

/// The checks of WebAuthn level 3 sections 7.1 and 7.2. libfido2 does what is cryptography; what is compared with our own
/// state is compared here, so that each failure has its name. Pure.
struct WebAuthnVerifier: Sendable {
    enum Ceremony: String {
        case create = "webauthn.create"
        case get = "webauthn.get"
    }

    private static let maximumClientData = 4096
    private static let maximumCredentialID = 1023

    let policy: PasskeyPolicy

    /// - Parameter clientData: `clientDataJSON` as it came.
    func registration(
        clientData: [UInt8], attestation: [UInt8], challenge: String
    ) throws(PasskeyRefusal) -> NewPasskey {
        try check(clientData, .create, challenge)
        guard let object = AttestationObject(attestation) else { throw .malformed }
        let head = try checkHead(object.authenticatorData)
        guard head.hasCredential else { throw .malformed }
        let passkey = try credential(object, clientData: clientData, head)
        guard (1...Self.maximumCredentialID).contains(passkey.credentialID.count) else { throw .malformed }
        return passkey
    }

    /// - Returns: the head of what was signed; its counter is the caller's to compare.
    func assertion(
        clientData: [UInt8], authenticatorData: [UInt8], signature: [UInt8], challenge: String,
        algorithm: PasskeyAlgorithm, publicKey: [UInt8]
    ) throws(PasskeyRefusal) -> AuthenticatorData {
        try check(clientData, .get, challenge)
        let head = try checkHead(authenticatorData)
        guard !signature.isEmpty, signature.count <= 1024 else { throw .malformed }
        try verify(clientData, authenticatorData, signature, algorithm, publicKey)
        return head
    }

    /// The challenge that a client data names, to look it up by; nil when it cannot be read.
    static func challenge(in clientData: [UInt8]) -> String? {
        guard clientData.count <= maximumClientData else { return nil }
        return try? ClientData(clientData).challenge
    }

    // MARK: Our own state

    private func check(_ bytes: [UInt8], _ ceremony: Ceremony, _ challenge: String) throws(PasskeyRefusal) {
        guard bytes.count <= Self.maximumClientData else { throw .malformed }
        let data = try ClientData(bytes)
        guard data.type == ceremony.rawValue else { throw .type }
        guard !challenge.isEmpty, constantTimeEquals(Array(data.challenge.utf8), Array(challenge.utf8)) else {
            throw .challenge
        }
        guard policy.origins.contains(data.origin) else { throw .origin }
        guard !data.isCrossOrigin else { throw .crossOrigin }
    }

    private func checkHead(_ bytes: [UInt8]) throws(PasskeyRefusal) -> AuthenticatorData {
        guard AuthenticatorData.isGood(bytes), let head = AuthenticatorData(bytes) else { throw .malformed }
        guard head.relyingPartyHash == SHA256.digest(policy.relyingParty).bytes else { throw .relyingParty }
        guard head.isPresent else { throw .userPresence }
        guard head.isVerified || policy.userVerification != .required else { throw .userVerification }
        // It cannot be backed up and not be of a kind that may be (section 6.1.3).
        guard head.mayBeBackedUp || !head.isBackedUp else { throw .malformed }
        return head
    }

    // MARK: libfido2

    private func credential(
        _ object: AttestationObject, clientData: [UInt8], _ head: AuthenticatorData
    ) throws(PasskeyRefusal) -> NewPasskey {
        // The library wants to know the algorithm before it looks.
        for algorithm in PasskeyAlgorithm.allCases {
            var credential = fido_cred_new()
            guard let made = credential else { throw .malformed }
            defer { fido_cred_free(&credential) }
            let data = object.authenticatorData
            guard fido_cred_set_type(made, Int32(algorithm.rawValue)) == FIDO_OK,
                fido_cred_set_authdata_raw(made, data, data.count) == FIDO_OK
            else { continue }
            try verifyAttestation(made, object, clientData)
            guard let id = Self.bytes(fido_cred_id_ptr(made), fido_cred_id_len(made)),
                let key = Self.bytes(fido_cred_pubkey_ptr(made), fido_cred_pubkey_len(made))
            else { throw .malformed }
            return NewPasskey(
                credentialID: id, algorithm: algorithm, publicKey: key, head: head, format: object.format)
        }
        throw .algorithm
    }

    private func verifyAttestation(
        _ credential: OpaquePointer, _ object: AttestationObject, _ clientData: [UInt8]
    ) throws(PasskeyRefusal) {
        let statement = object.statement
        switch object.format {
        case "none":
            // An empty map, so that nobody takes it for a proof.
            guard statement == [0xa0] else { throw .attestation }
        case "packed", "fido-u2f":
            let hash = SHA256.digest(clientData).bytes
            guard fido_cred_set_fmt(credential, object.format) == FIDO_OK,
                fido_cred_set_rp(credential, policy.relyingParty, nil) == FIDO_OK,
                fido_cred_set_clientdata_hash(credential, hash, hash.count) == FIDO_OK,
                fido_cred_set_attstmt(credential, statement, statement.count) == FIDO_OK
            else { throw .attestation }
            let isSelf = fido_cred_x5c_ptr(credential) == nil
            let result =
                isSelf && object.format == "packed"
                ? fido_cred_verify_self(credential) : fido_cred_verify(credential)
            guard result == FIDO_OK else { throw .attestation }
        default: throw .attestation
        }
    }

    private func verify(
        _ clientData: [UInt8], _ data: [UInt8], _ signature: [UInt8], _ algorithm: PasskeyAlgorithm,
        _ publicKey: [UInt8]
    ) throws(PasskeyRefusal) {
        var assertion = fido_assert_new()
        guard let made = assertion else { throw .malformed }
        defer { fido_assert_free(&assertion) }
        let hash = SHA256.digest(clientData).bytes
        guard fido_assert_set_clientdata_hash(made, hash, hash.count) == FIDO_OK,
            fido_assert_set_rp(made, policy.relyingParty) == FIDO_OK, fido_assert_set_count(made, 1) == FIDO_OK,
            fido_assert_set_authdata_raw(made, 0, data, data.count) == FIDO_OK,
            fido_assert_set_sig(made, 0, signature, signature.count) == FIDO_OK,
            fido_assert_set_up(made, FIDO_OPT_TRUE) == FIDO_OK
        else { throw .malformed }
        let result: Int32
        switch algorithm {
        case .es256:
            var key = es256_pk_new()
            defer { es256_pk_free(&key) }
            guard let pointer = key, es256_pk_from_ptr(pointer, publicKey, publicKey.count) == FIDO_OK else {
                throw .algorithm
            }
            result = fido_assert_verify(made, 0, Int32(algorithm.rawValue), UnsafeRawPointer(pointer))
        case .eddsa:
            var key = eddsa_pk_new()
            defer { eddsa_pk_free(&key) }
            guard let pointer = key, eddsa_pk_from_ptr(pointer, publicKey, publicKey.count) == FIDO_OK else {
                throw .algorithm
            }
            result = fido_assert_verify(made, 0, Int32(algorithm.rawValue), UnsafeRawPointer(pointer))
        case .rs256:
            var key = rs256_pk_new()
            defer { rs256_pk_free(&key) }
            guard let pointer = key, rs256_pk_from_ptr(pointer, publicKey, publicKey.count) == FIDO_OK else {
                throw .algorithm
            }
            result = fido_assert_verify(made, 0, Int32(algorithm.rawValue), UnsafeRawPointer(pointer))
        }
        guard result == FIDO_OK else { throw .signature }
    }

    private static func bytes(_ pointer: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8]? {
        guard let pointer, count > 0 else { return nil }
        return Array(UnsafeBufferPointer(start: pointer, count: count))
    }
}

/// `clientDataJSON` (section 5.8.1), read by a reader that takes no member twice.
private struct ClientData {
    let type: String
    let challenge: String
    let origin: String
    let isCrossOrigin: Bool

    init(_ bytes: [UInt8]) throws(PasskeyRefusal) {
        guard let value = try? JSONReader.parse(bytes), value.isObject,
            let type = value["type"]?.string, let challenge = value["challenge"]?.string,
            let origin = value["origin"]?.string
        else { throw .malformed }
        self.type = type
        self.challenge = challenge
        self.origin = origin
        isCrossOrigin = value["crossOrigin"]?.bool ?? false || value["topOrigin"] != nil
    }
}
