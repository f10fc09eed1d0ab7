/// A case of `HTTP2Frames`: what a client sends, frame by frame, and what has to come of it.
///
///     Words about it, and the section of RFC 9113.
///
///     ! bare                              no preface with SETTINGS in front; `stuck`: the app never answers;
///                                         `raw HEX`: these bytes instead of frames
///     > DATA 1 END_STREAM x3 : 2*00 "a"   a frame of that type on that stream with those flags, three times
///       name: value                       a field of its header block; `hex NAME = VALUE` where bytes matter
///     ? status on 1                       wait for that before going on; `end of 1`: for its last frame
///     = status 200 on 1                   what must come, in any order, `or` something else instead
struct FrameCase: Sendable {
    enum Step: Sendable, Equatable {
        case send([UInt8])
        case await(Expectation)
    }

    enum Expectation: Sendable, Hashable {
        case status(String?, on: UInt32)
        case end(UInt32)
        case streamError(String, on: UInt32)
        case connectionError(String)
        case ping([UInt8])
        /// A PING that is sent now is answered.
        case alive
        /// The connection is closed.
        case closed
    }

    struct Unreadable: Error {
        let line: String
    }

    var steps: [Step] = []
    /// Nothing goes before the first step but the preface, and not even that when its bytes are raw.
    var isBare = false
    var isRaw = false
    var isStuck = false
    /// Of each, one must come.
    var expected: [[Expectation]] = []

    init(_ text: String) throws {
        // The frame whose fields are being read.
        var open: (line: String, block: [UInt8])?
        func close(_ steps: inout [Step]) throws {
            if let frame = open { steps.append(.send(try Self.frame(frame.line, block: frame.block))) }
            open = nil
        }
        for line in text.split(separator: "\n").map(String.init) {
            if line.hasPrefix("  ") {
                open?.block += try Self.field(line.dropFirst(2))
                continue
            }
            try close(&steps)
            let rest = String(line.dropFirst(2))
            switch line.prefix(2) {
            case "> ": open = (rest, [])
            case "? ": steps.append(.await(try Self.expectation(rest)))
            case "= ":
                let alternatives = rest.split(separator: " ").split(separator: "or").map { $0.joined(separator: " ") }
                expected.append(try alternatives.map(Self.expectation))
            case "! " where rest == "bare": isBare = true
            case "! " where rest == "stuck": isStuck = true
            case "! " where rest.hasPrefix("raw "):
                isRaw = !isBare
                isBare = true
                steps.append(.send(try Self.bytes(rest.dropFirst(4))))
            case let start where start.first?.isLetter == true || start.first == "*" || start.first == ":": continue
            default: throw Unreadable(line: line)
            }
        }
        try close(&steps)
        guard !expected.isEmpty else { throw Unreadable(line: "no expectation") }
    }

    // MARK: Lines

    private static let types = [
        "DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE",
        "CONTINUATION",
    ]
    private static let flags: [Substring: UInt8] = [
        "ACK": 1, "END_STREAM": 1, "END_HEADERS": 4, "PADDED": 8, "PRIORITY": 0x20,
    ]
    static let errors = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
        "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    private static func frame(_ line: String, block: [UInt8]) throws -> [UInt8] {
        let parts = line.split(separator: ":", maxSplits: 1)
        let words = parts[0].split(separator: " ")
        guard words.count >= 2 else { throw Unreadable(line: line) }
        let type: UInt8
        if let index = types.firstIndex(of: String(words[0])) {
            type = UInt8(index)
        } else if let number = hexadecimal(words[0]) {
            type = number
        } else {
            throw Unreadable(line: line)
        }
        let isReserved = words[1].hasPrefix("R")
        guard let stream = UInt32(words[1].drop { $0 == "R" }) else { throw Unreadable(line: line) }
        var flag: UInt8 = 0
        var times = 1
        for word in words.dropFirst(2) {
            if let known = flags[word] ?? hexadecimal(word) {
                flag |= known
            } else if word.first == "x", let count = Int(word.dropFirst()) {
                times = count
            } else {
                throw Unreadable(line: line)
            }
        }
        var payload: [UInt8] = []
        var padding = 0
        if parts.count > 1 {
            let pieces = parts[1].split(separator: "|")
            payload = try bytes(pieces.first ?? "")
            if pieces.count > 1, let count = pieces[1].split(separator: " ").last.flatMap({ Int($0) }) {
                padding = count
            }
        }
        payload += block + [UInt8](repeating: 0, count: padding)
        let frame = header(payload.count, type, flag, isReserved ? stream | 0x8000_0000 : stream) + payload
        return Array(repeatElement(frame, count: times).joined())
    }

    static func header(_ length: Int, _ type: UInt8, _ flags: UInt8, _ stream: UInt32) -> [UInt8] {
        [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
            + withUnsafeBytes(of: stream.bigEndian) { Array($0) }
    }

    /// A field as a literal that is not put into the table (RFC 7541 section 6.2.2), without Huffman's code.
    private static func field(_ line: Substring) throws -> [UInt8] {
        let name: [UInt8]
        let value: [UInt8]
        if line.hasPrefix("hex ") {
            let parts = line.dropFirst(4).split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw Unreadable(line: String(line)) }
            (name, value) = (try bytes(parts[0]), try bytes(parts[1]))
        } else {
            guard let colon = line.dropFirst().firstIndex(of: ":") else { throw Unreadable(line: String(line)) }
            name = Array(line[..<colon].utf8)
            let text = line[line.index(after: colon)...].drop { $0 == " " }
            value = text.contains("*61") ? try bytes(text) : Array(text.utf8)
        }
        return [0] + string(name) + string(value)
    }

    private static func string(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var length: [UInt8] = [127]
        var rest = bytes.count - 127
        while rest >= 128 {
            length.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }

    /// `00 ff`, `00ff`, `5*00`, `"text"`.
    private static func bytes(_ text: Substring) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, part) in text.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
            guard index % 2 == 0 else {
                bytes += Array(part.utf8)
                continue
            }
            for word in part.split(separator: " ") {
                let factors = word.split(separator: "*")
                let digits = factors[factors.count - 1]
                guard digits.count % 2 == 0 else { throw Unreadable(line: String(text)) }
                var once: [UInt8] = []
                var rest = digits
                while !rest.isEmpty {
                    guard let byte = UInt8(rest.prefix(2), radix: 16) else { throw Unreadable(line: String(text)) }
                    once.append(byte)
                    rest = rest.dropFirst(2)
                }
                let times = factors.count > 1 ? Int(factors[0]) ?? 0 : 1
                bytes += Array(repeatElement(once, count: times).joined())
            }
        }
        return bytes
    }

    private static func hexadecimal(_ word: Substring) -> UInt8? {
        word.hasPrefix("0x") ? UInt8(word.dropFirst(2), radix: 16) : nil
    }

    private static func expectation(_ text: String) throws -> Expectation {
        let words = text.split(separator: " ").map(String.init)
        let stream = words.last.flatMap { UInt32($0) }
        switch (words[0], words.count) {
        case ("status", 3): if let stream { return .status(nil, on: stream) }
        case ("status", 4): if let stream { return .status(words[1], on: stream) }
        case ("end", 3): if let stream { return .end(stream) }
        case ("stream", 5): if let stream { return .streamError(words[2], on: stream) }
        case ("connection", 3): return .connectionError(words[2])
        case ("ping", 2): return .ping(try bytes(words[1][...]))
        case ("alive", 1): return .alive
        case ("closed", 1): return .closed
        default: break
        }
        throw Unreadable(line: text)
    }
}
