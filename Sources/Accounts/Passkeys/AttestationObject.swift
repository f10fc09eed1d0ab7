internal import CFido2

/// What an authenticator made at a registration (WebAuthn level 3 section 6.5.4), taken apart. libfido2 has no way in for
/// the whole of it, so libcbor opens it.
struct AttestationObject {
    let format: String
    /// The statement, as CBOR.
    let statement: [UInt8]
    let authenticatorData: [UInt8]

    /// - Returns: nil for anything else than one map with its three members.
    init?(_ bytes: [UInt8]) {
        var result = cbor_load_result()
        guard CBORShape.isGood(bytes), let map = cbor_load(bytes, bytes.count, &result) else { return nil }
        defer { gatehouse_cbor_release(map) }
        guard result.error.code == CBOR_ERR_NONE, result.read == bytes.count, cbor_isa_map(map),
            cbor_map_is_definite(map), cbor_map_size(map) == 3,
            let format = gatehouse_cbor_member(map, "fmt", 3), cbor_isa_string(format), cbor_string_is_definite(format),
            let data = gatehouse_cbor_member(map, "authData", 8), cbor_isa_bytestring(data),
            cbor_bytestring_is_definite(data),
            let statement = gatehouse_cbor_member(map, "attStmt", 7), cbor_isa_map(statement),
            let text = String(
                validating: UnsafeBufferPointer(start: cbor_string_handle(format), count: cbor_string_length(format)),
                as: UTF8.self),
            let serialized = Self.serialize(statement)
        else { return nil }
        self.format = text
        self.statement = serialized
        authenticatorData = Array(
            UnsafeBufferPointer(start: cbor_bytestring_handle(data), count: cbor_bytestring_length(data)))
    }

    private static func serialize(_ item: UnsafeMutablePointer<cbor_item_t>) -> [UInt8]? {
        // What came in fits in a request, and comes out no longer than it came.
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let length = cbor_serialize(item, &buffer, buffer.count)
        guard length > 0, length <= buffer.count else { return nil }
        return Array(buffer.prefix(length))
    }
}

/// The head of what an authenticator signs (section 6.1).
///
/// ```
///   32  SHA-256 of the RP id
///    1  flags: bit 0 present, 2 verified, 3 may be backed up, 4 is backed up, 6 credential follows, 7 extensions follow
///    4  signature counter
/// ```
struct AuthenticatorData {
    static let headCount = 37

    let relyingPartyHash: [UInt8]
    let counter: UInt32
    private let flags: UInt8

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.headCount else { return nil }
        relyingPartyHash = Array(bytes[0..<32])
        flags = bytes[32]
        counter = bytes[33..<37].reduce(0) { $0 << 8 | UInt32($1) }
    }

    var isPresent: Bool { flags & 1 != 0 }
    var isVerified: Bool { flags & 4 != 0 }
    var mayBeBackedUp: Bool { flags & 8 != 0 }
    var isBackedUp: Bool { flags & 16 != 0 }
    var hasCredential: Bool { flags & 64 != 0 }
}
