/// The syntax of `Host` and of an authority: a name of letters, digits, `-`, `.`, `_` with no empty label but a last
/// one, or an IPv6 address in brackets; then, if any, a colon and a port of 1 to 65535, or nothing behind the colon
/// (RFC 3986 section 3.2.3).
///
/// Narrower than RFC 3986's reg-name on purpose: escapes, sub-delimiters and user-info have no use in a host that a
/// route names, and layers disagree about them.
enum HostCheck {
    static func isValid(_ host: UnsafeRawBufferPointer) -> Bool {
        guard let base = host.baseAddress, host.count > 0, host.count <= 261 else { return false }
        if base.byte(0) == 0x5B { return isBracketed(base, host.count) }
        var labelLength = 0
        for position in 0..<host.count {
            let byte = base.byte(position)
            if byte == .colon { return position > 0 && isPort(base, position &+ 1, host.count) }
            guard ByteClass.isHostName(byte) else { return false }
            if byte == .dot {
                guard labelLength > 0 else { return false }
                labelLength = 0
            } else {
                labelLength &+= 1
            }
        }
        return true
    }

    private static func isBracketed(_ base: UnsafeRawPointer, _ count: Int) -> Bool {
        var position = 1
        while position < count, base.byte(position) != 0x5D {
            let byte = base.byte(position)
            guard byte == .colon || byte == .dot || ByteClass.hexValue(byte) != nil else { return false }
            position &+= 1
        }
        guard position < count, position > 2 else { return false }
        if position &+ 1 == count { return true }
        return base.byte(position &+ 1) == .colon && isPort(base, position &+ 2, count)
    }

    private static func isPort(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
        guard end &- start <= 5 else { return false }
        if start == end { return true }
        var value = 0
        for position in start..<end {
            let byte = base.byte(position)
            guard ByteClass.isDigit(byte) else { return false }
            value = value &* 10 &+ Int(byte &- 0x30)
        }
        return value > 0 && value <= 65535
    }
}
