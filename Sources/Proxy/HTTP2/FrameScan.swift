import NIOCore

/// Finds the frame headers in a stream of bytes (RFC 9113 section 4.1) without looking at what they hold.
struct FrameScan {
    /// The types that mean something here.
    enum Kind: UInt8 {
        case data = 0
        case headers, priority, rstStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    /// One frame's header.
    struct Header: Equatable {
        var length: Int
        /// Nil: an extension's.
        var kind: Kind?
        var flags: UInt8
        var stream: UInt32

        /// END_STREAM of DATA and HEADERS, ACK of SETTINGS and PING.
        var hasFirstFlag: Bool { flags & 0x1 != 0 }
        /// A proper acknowledgement of SETTINGS.
        var isAcknowledgement: Bool { kind == .settings && hasFirstFlag && length == 0 && stream == 0 }
        /// Of HEADERS and CONTINUATION.
        var endsHeaders: Bool { flags & 0x4 != 0 }
    }

    static let headerLength = 9

    /// Bytes that are still to be passed over: of the preface, or of a frame's payload.
    private var left: Int
    /// The beginning of a header whose end has not come.
    private var partial: [UInt8] = []
    private var isInControlFrame = false
    private var isInHeaderBlock = false
    /// How many frames have begun, a header block with all its frames counting as one.
    private(set) var blockNumber: UInt64 = 0

    /// - Parameter skipping: bytes that come before the first frame.
    init(skipping: Int = 0) {
        left = skipping
    }

    /// Bytes of a header that is not complete.
    var partialCount: Int { partial.count }

    /// The rest of something that nobody can use before it is whole is still to come: not the payload of DATA.
    var isWaiting: Bool { !partial.isEmpty || isInHeaderBlock || isInControlFrame && left > 0 }

    /// Goes through `bytes` and gives each header to `body` as soon as it is complete.
    ///
    /// - Returns: the position of the first byte of the header that `body` refused, negative when it began in bytes of
    ///   an earlier call; nil when none was refused.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, _ body: (Header, _ payload: Int) -> Bool) -> Int? {
        var position = 0
        while position < bytes.count {
            if left > 0 {
                let taken = min(left, bytes.count - position)
                left -= taken
                position += taken
                continue
            }
            if partial.isEmpty, !isInHeaderBlock { blockNumber &+= 1 }
            let missing = Self.headerLength - partial.count
            guard bytes.count - position >= missing else {
                partial.append(contentsOf: bytes[position...])
                return nil
            }
            let start = position - partial.count
            let header: Header
            if partial.isEmpty {
                header = Self.header(UnsafeRawBufferPointer(rebasing: bytes[position..<position + missing]))
            } else {
                partial.append(contentsOf: bytes[position..<position + missing])
                header = partial.withUnsafeBytes { Self.header($0) }
                partial.removeAll(keepingCapacity: true)
            }
            position += missing
            note(header)
            guard body(header, position) else { return start }
        }
        return nil
    }

    private mutating func note(_ header: Header) {
        left = header.length
        isInControlFrame = header.kind != .data
        switch header.kind {
        case .headers, .continuation: isInHeaderBlock = !header.endsHeaders
        case .data, .priority, .rstStream, .settings, .pushPromise, .ping, .goAway, .windowUpdate, nil: break
        }
    }

    private static func header(_ bytes: UnsafeRawBufferPointer) -> Header {
        let length = Int(bytes[0]) << 16 | Int(bytes[1]) << 8 | Int(bytes[2])
        let stream = UInt32(bytes[5]) << 24 | UInt32(bytes[6]) << 16 | UInt32(bytes[7]) << 8 | UInt32(bytes[8])
        return Header(length: length, kind: Kind(rawValue: bytes[3]), flags: bytes[4], stream: stream & 0x7FFF_FFFF)
    }
}
