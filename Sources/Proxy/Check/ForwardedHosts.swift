/// The hosts that a `Forwarded` names (RFC 7239 section 5.3).
enum ForwardedHosts {
    /// Every one of them is `host`; also where there is none. False where quotes are left open: somebody behind us may
    /// read a host out of that.
    static func agree(_ value: UnsafeRawBufferPointer, with host: UnsafeRawBufferPointer) -> Bool {
        var start = 0
        while start < value.count {
            guard let end = pairEnd(value, from: start) else { return false }
            let pair = ByteSearch.trimmed(UnsafeRawBufferPointer(rebasing: value[start..<end]))
            if let told = hostValue(of: pair),
                !ByteSearch.equalIgnoringCase(DescriptionSources.bareHost(told), DescriptionSources.bareHost(host))
            {
                return false
            }
            start = end + 1
        }
        return true
    }

    /// Where the pair ends that begins at `start`: before the next `;` or `,` outside of quotes; nil when those never end.
    private static func pairEnd(_ value: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var position = start
        var isQuoted = false
        while position < value.count {
            switch value[position] {
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "\\") where isQuoted: position += 1
            case UInt8(ascii: ";"), UInt8(ascii: ","):
                if !isQuoted { return position }
            default: break
            }
            position += 1
        }
        return isQuoted ? nil : value.count
    }

    /// What `host=` says, without its quotes; nil for another parameter. A host has nothing that would need a backslash,
    /// so one with a backslash is taken as it is and agrees with nothing.
    private static func hostValue(of pair: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard ByteSearch.hasPrefixIgnoringCase(pair, "host") else { return nil }
        let rest = ByteSearch.trimmed(UnsafeRawBufferPointer(rebasing: pair.dropFirst(4)))
        guard rest.first == UInt8(ascii: "=") else { return nil }
        let told = ByteSearch.trimmed(UnsafeRawBufferPointer(rebasing: rest.dropFirst()))
        let quote = UInt8(ascii: "\"")
        guard told.count >= 2, told.first == quote, told.last == quote else { return told }
        return UnsafeRawBufferPointer(rebasing: told[1..<told.count - 1])
    }
}
