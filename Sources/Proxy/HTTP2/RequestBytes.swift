import NIOCore
import NIOHPACK

/// Renders what a client sent as HTTP/2 fields into the bytes of an HTTP/1.1 request, so that there is one parser and
/// one set of refusals for both.
///
/// Two kinds of wrong requests end differently. What RFC 9113 section 8.1.1 calls malformed, and everything that could
/// mean something else once it is a line (a colon in a name, a line end, framing), is `Malformed` here and resets the
/// stream. What can be written down faithfully is, and `HTTPWire` refuses it with the status it has for that:
/// `:authority` beside another `Host` becomes a second `Host` line, and so on.
enum RequestBytes {
    /// A request that RFC 9113 calls malformed.
    struct Malformed: Error, Equatable {}

    /// How the body is written.
    enum Framing: Equatable {
        /// There is none.
        case none
        /// So many bytes, as the client said.
        case length(UInt64)
        /// The client did not say.
        case chunked
    }

    /// What a head came to.
    struct Head: Equatable {
        var framing: Framing
        var isHead: Bool
    }

    /// Appends the whole head to `out`.
    static func writeHead(
        _ headers: HPACKHeaders, endStream: Bool, into out: inout ByteBuffer
    ) throws(Malformed) -> Head {
        var pseudo = PseudoFields()
        var fields = RegularFields()
        var isLineWritten = false
        for (name, value, _) in headers {
            guard isName(name), isValue(value) else { throw Malformed() }
            if name.utf8.first == UInt8(ascii: ":") {
                guard !isLineWritten else { throw Malformed() }
                try pseudo.take(name, value)
            } else {
                if !isLineWritten {
                    try pseudo.writeLine(into: &out)
                    isLineWritten = true
                }
                try fields.take(name, value, authority: pseudo.authority, into: &out)
            }
        }
        if !isLineWritten { try pseudo.writeLine(into: &out) }
        if !fields.cookies.isEmpty {
            out.writeStaticString("cookie: ")
            out.writeString(fields.cookies)
            out.writeStaticString("\r\n")
        }
        let framing = try fields.framing(endStream: endStream)
        if framing == .chunked { out.writeStaticString("transfer-encoding: chunked\r\n") }
        out.writeStaticString("\r\n")
        return Head(framing: framing, isHead: pseudo.method == "HEAD")
    }

    /// Appends the end of a chunked body with its trailers.
    static func writeTrailers(_ headers: HPACKHeaders, into out: inout ByteBuffer) throws(Malformed) {
        var lines = ByteBuffer()
        for (name, value, _) in headers {
            guard isName(name), isValue(value), name.utf8.first != UInt8(ascii: ":"), !isConnectionSpecific(name)
            else { throw Malformed() }
            write(name, value, into: &lines)
        }
        out.writeStaticString("0\r\n")
        out.writeBuffer(&lines)
        out.writeStaticString("\r\n")
    }

    private static func write(_ name: String, _ value: String, into out: inout ByteBuffer) {
        out.writeString(name)
        out.writeStaticString(": ")
        out.writeString(value)
        out.writeStaticString("\r\n")
    }

    /// RFC 9113 section 8.2.2: what is about one connection has no place in a request.
    private static func isConnectionSpecific(_ name: String) -> Bool {
        switch name.utf8.count {
        case 7: name == "upgrade"
        case 10: name == "connection" || name == "keep-alive"
        case 16: name == "proxy-connection"
        case 17: name == "transfer-encoding"
        default: false
        }
    }

    /// A token in lower case (RFC 9113 section 8.2.1), with a colon only in front of a pseudo field.
    private static func isName(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { bytes in
            let start = bytes.first == UInt8(ascii: ":") ? 1 : 0
            guard bytes.count > start else { return false }
            for index in start..<bytes.count {
                let byte = bytes[index]
                guard isTokenByte(byte), !(0x41...0x5A).contains(byte) else { return false }
            }
            return true
        }
    }

    /// No byte that ends a line, and no blank at either end (RFC 9113 section 8.2.1).
    private static func isValue(_ value: String) -> Bool {
        var value = value
        return value.withUTF8 { bytes in
            guard let first = bytes.first, let last = bytes.last else { return true }
            guard !isBlank(first), !isBlank(last) else { return false }
            for byte in bytes where byte == 0 || byte == 0x0A || byte == 0x0D { return false }
            return true
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
        default: false
        }
    }
}

extension RequestBytes {
    /// `:method`, `:scheme`, `:authority` and `:path` (RFC 9113 section 8.3.1).
    private struct PseudoFields {
        var method: String?
        var scheme: String?
        var authority: String?
        var path: String?

        mutating func take(_ name: String, _ value: String) throws(Malformed) {
            switch name {
            case ":method" where method == nil: method = value
            case ":scheme" where scheme == nil: scheme = value
            case ":authority" where authority == nil: authority = value
            case ":path" where path == nil: path = value
            // Twice, of an answer, of an extension that we did not offer, or unknown.
            default: throw Malformed()
            }
        }

        /// The request line, and `Host` if there is an authority.
        func writeLine(into out: inout ByteBuffer) throws(Malformed) {
            guard let method, !method.isEmpty, method.utf8.allSatisfy(isTokenByte) else { throw Malformed() }
            out.writeString(method)
            out.writeStaticString(" ")
            try writeTarget(isConnect: method == "CONNECT", into: &out)
            out.writeStaticString(" HTTP/1.1\r\n")
            guard let authority else { return }
            write("host", authority, into: &out)
        }

        private func writeTarget(isConnect: Bool, into out: inout ByteBuffer) throws(Malformed) {
            if isConnect {
                // Well formed without scheme and path only (section 8.5); `HTTPWire` refuses the method.
                guard scheme == nil, path == nil, let authority, Self.isVisible(authority) else { throw Malformed() }
                out.writeString(authority)
                return
            }
            guard let scheme, Self.isScheme(scheme), let path, Self.isVisible(path) else { throw Malformed() }
            // Anything else might be read as an absolute form, whose authority would then be another one.
            guard path.utf8.first == UInt8(ascii: "/") || path == "*" else { throw Malformed() }
            if scheme != "http", scheme != "https" {
                // No scheme that we serve: the absolute form says so, and is refused for it.
                out.writeString(scheme)
                out.writeStaticString("://")
                out.writeString(authority.map { Self.isVisible($0) ? $0 : "" } ?? "")
            }
            out.writeString(path)
        }

        /// RFC 3986, section 3.1. Anything else could end where the absolute form's host begins.
        private static func isScheme(_ text: String) -> Bool {
            guard let first = text.utf8.first, isLetter(first) else { return false }
            return text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
                case _: isLetter(byte)
                }
            }
        }

        private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

        private static func isVisible(_ text: String) -> Bool {
            var text = text
            return text.withUTF8 { bytes in
                for byte in bytes where byte <= 0x20 || byte == 0x7F { return false }
                return !bytes.isEmpty
            }
        }
    }

    /// What has to be known of the other fields.
    private struct RegularFields {
        private enum Kind {
            case cookie, host, contentLength, te, other

            /// By the length first: hardly any name is compared.
            init(_ name: String) {
                switch name.utf8.count {
                case 2 where name == "te": self = .te
                case 4 where name == "host": self = .host
                case 6 where name == "cookie": self = .cookie
                case 14 where name == "content-length": self = .contentLength
                default: self = .other
                }
            }
        }

        /// All of them in one, as HTTP/1.1 has it (RFC 9113 section 8.2.3).
        var cookies = ""
        private var length: UInt64?
        private var hasHost = false

        mutating func take(
            _ name: String, _ value: String, authority: String?, into out: inout ByteBuffer
        ) throws(Malformed) {
            guard !isConnectionSpecific(name) else { throw Malformed() }
            switch Kind(name) {
            case .cookie:
                if !cookies.isEmpty { cookies += "; " }
                cookies += value
                return
            case .host:
                defer { hasHost = true }
                // The same once more says nothing new; any other becomes a second line, which is refused.
                if !hasHost, let authority, Self.areEqual(authority, value) { return }
            case .contentLength:
                guard length == nil, !value.isEmpty, value.utf8.count < 19,
                    value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(value)
                else { throw Malformed() }
                length = number
            case .te:
                guard value == "trailers" else { throw Malformed() }
            case .other: break
            }
            write(name, value, into: &out)
        }

        private static func areEqual(_ left: String, _ right: String) -> Bool {
            func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
            return left.utf8.elementsEqual(right.utf8) { lower($0) == lower($1) }
        }

        func framing(endStream: Bool) throws(Malformed) -> Framing {
            guard let length else { return endStream ? .none : .chunked }
            guard endStream else { return .length(length) }
            guard length == 0 else { throw Malformed() }
            return .none
        }
    }
}
