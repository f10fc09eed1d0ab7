import Core

/// The header of the PROXY protocol, version 2, with which a proxy says whose connection it passes on (haproxy.org,
/// "The PROXY protocol", section 2.2). Pure: bytes in, an outcome out.
///
/// ```
///   12 bytes signature │ version, command │ family, transport │ 2 bytes length │ addresses │ TLVs
/// ```
enum ProxyProtocolHeader {
    /// Whose connection it is.
    enum Source: Equatable, Sendable {
        /// The proxy's own (LOCAL): the socket's address stays.
        case socket
        case address(IPAddress, port: UInt16)
        /// Somebody whose connection the proxy passes on without saying whose it is (UNSPEC), or a client of a unix socket
        /// on its machine. The socket's address would give them the proxy's trust.
        case unknown
    }

    /// Why the bytes are no header that we take.
    enum Refusal: String, Equatable, Sendable {
        case absent = "the connection does not begin with a PROXY protocol header"
        case versionOne = "the header is of version 1 of the PROXY protocol; send version 2 (HAProxy: send-proxy-v2)"
        case version = "the header is of an unknown version of the PROXY protocol"
        case command = "the header's command is unknown"
        case family = "the header is not about a stream of IPv4, IPv6 or unix"
        case tooShort = "the header is too short for its addresses"
        case tooLong = "the header is too long"
    }

    enum Outcome: Equatable, Sendable {
        case needMore
        case complete(Source, length: Int)
        case refused(Refusal)
    }

    private static let signature: [UInt8] = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
    ]
    private static let versionOne = Array("PROXY ".utf8)
    /// Signature, version, family and length.
    private static let fixedLength = 16
    /// Addresses and TLVs together; those of a connection with a client certificate stay below it.
    static let maximumPayload = 4096

    /// Reads the header at the beginning of `bytes`; what is behind it is not looked at. Says no as soon as a byte
    /// cannot be right.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        let seen = min(bytes.count, signature.count)
        guard bytes[..<seen].elementsEqual(signature[..<seen]) else {
            let known = min(bytes.count, versionOne.count)
            guard bytes[..<known].elementsEqual(versionOne[..<known]) else { return .refused(.absent) }
            return known == versionOne.count ? .refused(.versionOne) : .needMore
        }
        if bytes.count > 12, bytes[12] >> 4 != 2 { return .refused(.version) }
        if bytes.count > 12, bytes[12] & 0xf > 1 { return .refused(.command) }
        guard bytes.count >= fixedLength else { return .needMore }
        let isLocal = bytes[12] & 0xf == 0
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        guard length <= maximumPayload else { return .refused(.tooLong) }
        // What a LOCAL connection says of addresses is to be passed over, whatever it is.
        let family = isLocal ? 0 : bytes[13]
        guard let needed = addressLength(family) else { return .refused(.family) }
        guard length >= needed else { return .refused(.tooShort) }
        guard bytes.count >= fixedLength + length else { return .needMore }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[fixedLength..<(fixedLength + length)])
        return .complete(isLocal ? .socket : source(family, payload), length: fixedLength + length)
    }

    /// Nil: a family or a transport that no stream of ours can have.
    private static func addressLength(_ family: UInt8) -> Int? {
        switch family {
        case 0x00: 0
        case 0x11: 12
        case 0x21: 36
        case 0x31: 216
        default: nil
        }
    }

    private static func source(_ family: UInt8, _ payload: UnsafeRawBufferPointer) -> Source {
        switch family {
        case 0x11:
            return .address(
                IPAddress(v4: UInt32(truncatingIfNeeded: number(payload[0..<4]))),
                port: UInt16(truncatingIfNeeded: number(payload[8..<10])))
        case 0x21:
            return .address(
                IPAddress(v6: number(payload[0..<16])), port: UInt16(truncatingIfNeeded: number(payload[32..<34])))
        default: return .unknown
        }
    }

    private static func number(_ bytes: Slice<UnsafeRawBufferPointer>) -> UInt128 {
        bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }
}
