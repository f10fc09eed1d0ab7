import Core

/// Host names in the one form in which they are compared: lower case, A-labels (RFC 5890 section 2.3.2.1), without
/// port and trailing dot; an IPv6 address in brackets as RFC 5952 writes it.
public enum HostName {
    /// The canonical form of a configured name, wildcards excluded. Labels outside ASCII become A-labels after simple
    /// lower-casing; there is no further mapping, so characters that would need one (combining marks, compatibility
    /// forms, anything but letters and digits) are refused: such a name is written as its `xn--` form.
    ///
    /// - Returns: nil when it is no host name, or has a port.
    public static func canonical(configured text: String) -> String? {
        if text.utf8.first == UInt8(ascii: "[") {
            guard text.utf8.last == UInt8(ascii: "]") else { return nil }
            return canonical(text)
        }
        guard !text.utf8.contains(UInt8(ascii: ":")) else { return nil }
        var labels: [String] = []
        var name = text.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        for label in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard let ascii = asciiLabel(String(label)) else { return nil }
            labels.append(ascii)
        }
        return canonical(labels.joined(separator: "."))
    }

    /// The canonical form of a host as a request named it, with or without a port.
    ///
    /// - Returns: nil when it is empty or no host name; a byte ≥ 0x80 makes it none.
    public static func canonical(_ raw: Span<UInt8>) -> [UInt8]? {
        switch RequestHost(raw) {
        case .absent, .refused: return nil
        case .address(let bytes): return bytes
        case .name(let range):
            var bytes: [UInt8] = []
            bytes.reserveCapacity(range.count)
            for index in range { bytes.append(Wildcard.folded(raw[index])) }
            return bytes
        }
    }

    private static func canonical(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard let canonical = canonical(bytes.span) else { return nil }
        return String(decoding: canonical, as: UTF8.self)
    }

    private static func asciiLabel(_ label: String) -> String? {
        if label.utf8.allSatisfy({ $0 < 0x80 }) { return label.utf8.count <= 63 ? label : nil }
        guard label.unicodeScalars.allSatisfy(needsNoMapping), let encoded = Punycode.encode(label) else { return nil }
        let ascii = "xn--" + encoded
        return ascii.utf8.count <= 63 ? ascii : nil
    }

    private static func needsNoMapping(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x30...0x39, 0x61...0x7a, 0x2d: return true
        // Letterlike symbols, enclosed, compatibility and mathematical forms, which IDNA maps or refuses.
        case 0...0x7f, 0x1d00...0x1dbf, 0x2100...0x2bff, 0xf900...0xfaff, 0xfb00...0xfdff, 0xfe00...0xffff,
            0x1d400...0x1d7ff, 0x1f100...0x1f2ff, 0x2f800...0x2fa1f:
            return false
        case _: break
        }
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .otherLetter, .decimalNumber: return true
        case _: return false
        }
    }
}

/// What a request's host is, found in place.
enum RequestHost {
    /// There was none (HTTP/1.0).
    case absent
    /// No host name: it belongs to no route, not even to one for any host.
    case refused
    /// These bytes of it, in whichever case they came.
    case name(Range<Int>)
    /// An IPv6 address, canonical, with its brackets.
    case address([UInt8])

    init(_ raw: Span<UInt8>) {
        guard raw.count > 0 else {
            self = .absent
            return
        }
        if raw[0] == UInt8(ascii: "[") {
            self = Self.address(raw)
            return
        }
        var end = 0
        var labelStart = 0
        scan: while end < raw.count {
            switch raw[end] {
            case UInt8(ascii: "."):
                // A dot after nothing is an empty label.
                if end == labelStart {
                    self = .refused
                    return
                }
                labelStart = end + 1
            case UInt8(ascii: ":"): break scan
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): break
            case _:
                self = .refused
                return
            }
            end += 1
        }
        guard Self.isPort(raw, from: end) else {
            self = .refused
            return
        }
        if end > 0, labelStart == end { end -= 1 }
        self = end > 0 && end <= 253 ? .name(0..<end) : .refused
    }

    /// Nothing, or a colon and digits (RFC 3986 section 3.2.3 allows none of them).
    private static func isPort(_ raw: Span<UInt8>, from start: Int) -> Bool {
        guard start < raw.count else { return true }
        guard raw[start] == UInt8(ascii: ":"), raw.count - start <= 6 else { return false }
        for index in start + 1..<raw.count where raw[index] &- 0x30 > 9 { return false }
        return true
    }

    private static func address(_ raw: Span<UInt8>) -> RequestHost {
        var end = 1
        while end < raw.count, raw[end] != UInt8(ascii: "]") { end += 1 }
        guard end < raw.count, isPort(raw, from: end + 1), let address = IPAddress(ascii: raw.extracting(1..<end))
        else {
            return .refused
        }
        return .address(Array("[\(address)]".utf8))
    }
}
