/// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is the IPv4
/// address; a zone (`%eth0`) is no part of it and is refused.
public struct IPAddress: Hashable, Sendable {
    /// The two families.
    public enum Family: UInt8, Sendable {
        case v4, v6
    }

    /// Which kind it is.
    public let family: Family
    /// The address as a number: 32 bits for IPv4, 128 for IPv6.
    public let bits: UInt128

    /// An IPv4 address from its 32 bits, most significant first.
    public init(v4 bits: UInt32) {
        family = .v4
        self.bits = UInt128(bits)
    }

    /// An IPv6 address from its 128 bits, most significant first; a mapped one becomes IPv4.
    public init(v6 bits: UInt128) {
        if bits >> 32 == 0xffff {
            self.init(family: .v4, bits: bits & 0xffff_ffff)
        } else {
            self.init(family: .v6, bits: bits)
        }
    }

    private init(family: Family, bits: UInt128) {
        self.family = family
        self.bits = bits
    }

    /// Reads the dotted decimal form, or RFC 4291 section 2.2's forms; no brackets, no port.
    ///
    /// - Returns: nil when `text` is no address.
    public init?(_ text: String) {
        var text = text
        let parsed = text.withUTF8 { IPAddress(ascii: $0.span) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// As ``init(_:)``, on bytes.
    public init?(ascii bytes: Span<UInt8>) {
        var hasColon = false
        for index in bytes.indices where bytes[index] == UInt8(ascii: ":") { hasColon = true }
        if hasColon {
            guard let bits = Self.parseV6(bytes) else { return nil }
            self.init(v6: bits)
        } else {
            guard let bits = Self.parseV4(bytes, from: 0, to: bytes.count) else { return nil }
            self.init(v4: bits)
        }
    }

    /// The address of the same family that has this bit, too.
    fileprivate func setting(_ bit: UInt128) -> IPAddress { IPAddress(family: family, bits: bits | bit) }

    /// How many bits an address of this family has.
    public var width: Int { family == .v4 ? 32 : 128 }

    private static func parseV4(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> UInt32? {
        var result: UInt32 = 0
        var position = start
        for part in 0..<4 {
            if part > 0 {
                guard position < end, bytes[position] == UInt8(ascii: ".") else { return nil }
                position += 1
            }
            var value: UInt32 = 0
            let first = position
            while position < end, (0x30...0x39).contains(bytes[position]), position - first < 3 {
                value = value * 10 + UInt32(bytes[position] - 0x30)
                position += 1
            }
            // A leading zero is octal to some readers, so it is none of ours.
            guard position > first, value <= 255, position - first == 1 || bytes[first] != 0x30 else { return nil }
            result = result << 8 | value
        }
        return position == end ? result : nil
    }

    private static func parseV6(_ bytes: Span<UInt8>) -> UInt128? {
        var head: UInt128 = 0
        var tail: UInt128 = 0
        var headGroups = 0
        var tailGroups = 0
        var compressed = false
        var position = 0
        if bytes.count >= 2, bytes[0] == UInt8(ascii: ":"), bytes[1] == UInt8(ascii: ":") {
            compressed = true
            position = 2
        }
        while position < bytes.count {
            guard headGroups + tailGroups < 8 else { return nil }
            let first = position
            var value: UInt128 = 0
            while position < bytes.count, let digit = hexDigit(bytes[position]) {
                guard position - first < 4 else { return nil }
                value = value << 4 | UInt128(digit)
                position += 1
            }
            if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
                guard headGroups + tailGroups <= 6, let v4 = parseV4(bytes, from: first, to: bytes.count) else {
                    return nil
                }
                if compressed {
                    tail = tail << 32 | UInt128(v4)
                    tailGroups += 2
                } else {
                    head = head << 32 | UInt128(v4)
                    headGroups += 2
                }
                position = bytes.count
                break
            }
            guard position > first else { return nil }
            if compressed {
                tail = tail << 16 | value
                tailGroups += 1
            } else {
                head = head << 16 | value
                headGroups += 1
            }
            guard position < bytes.count else { break }
            guard bytes[position] == UInt8(ascii: ":") else { return nil }
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: ":") {
                guard !compressed else { return nil }
                compressed = true
                position += 1
            } else if position == bytes.count {
                return nil
            }
        }
        let groups = headGroups + tailGroups
        guard compressed ? groups <= 7 : groups == 8 else { return nil }
        let shift = (8 - headGroups) * 16
        return (shift == 128 ? 0 : head << UInt128(shift)) | tail
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// Dotted decimal, or RFC 5952's form of IPv6.
    public var description: String {
        switch family {
        case .v4:
            return stride(from: 24, through: 0, by: -8).map { String(UInt8(truncatingIfNeeded: bits >> UInt128($0))) }
                .joined(separator: ".")
        case .v6:
            let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128((7 - $0) * 16)) }
            guard let zeros = Self.longestZeroRun(groups) else {
                return groups.map { String($0, radix: 16) }.joined(separator: ":")
            }
            let head = groups[..<zeros.lowerBound].map { String($0, radix: 16) }.joined(separator: ":")
            let tail = groups[zeros.upperBound...].map { String($0, radix: 16) }.joined(separator: ":")
            return head + "::" + tail
        }
    }

    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start = 0
        while start < groups.count {
            guard groups[start] == 0 else {
                start += 1
                continue
            }
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start >= 2, end - start > (best?.count ?? 0) { best = start..<end }
            start = end
        }
        return best
    }
}

/// A network in CIDR notation (RFC 4632): all addresses of one family that share a prefix.
public struct Network: Hashable, Sendable, CustomStringConvertible {
    /// The first address; its bits after the prefix are zero.
    public let address: IPAddress
    /// How many leading bits are shared.
    public let prefixLength: Int

    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or a single address.
    ///
    /// - Returns: nil when `text` is none of these, or when bits after the prefix are set (`10.0.0.1/8` is more likely
    ///   a mistake than a wish).
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        var length = address.width
        if parts.count == 2 {
            guard !parts[1].isEmpty, parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let value = Int(parts[1]), value <= address.width, parts[1].utf8.count == 1 || parts[1].first != "0"
            else { return nil }
            length = value
        }
        guard address.bits & ~Self.mask(length, of: address.width) == 0 else { return nil }
        self.address = address
        self.prefixLength = length
    }

    /// The address is in the network.
    public func contains(_ other: IPAddress) -> Bool {
        other.family == address.family && other.bits & Self.mask(prefixLength, of: address.width) == address.bits
    }

    /// The two share an address.
    public func overlaps(_ other: Network) -> Bool {
        contains(other.address) || other.contains(address)
    }

    /// The two networks of one more bit that make it up; nil for a single address.
    public var halves: (lower: Network, upper: Network)? {
        guard prefixLength < address.width else { return nil }
        let bit: UInt128 = 1 << UInt128(address.width - prefixLength - 1)
        return (
            Network(address: address, prefixLength: prefixLength + 1),
            Network(address: address.setting(bit), prefixLength: prefixLength + 1)
        )
    }

    private init(address: IPAddress, prefixLength: Int) {
        self.address = address
        self.prefixLength = prefixLength
    }

    /// CIDR notation.
    public var description: String { "\(address)/\(prefixLength)" }

    private static func mask(_ length: Int, of width: Int) -> UInt128 {
        let all: UInt128 = width == 32 ? 0xffff_ffff : .max
        return length == 0 ? 0 : all & ~(length == width ? 0 : (1 << UInt128(width - length)) - 1)
    }
}
