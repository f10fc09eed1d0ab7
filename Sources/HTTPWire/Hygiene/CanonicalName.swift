/// A field name as a careless upstream sees it: letters in lower case, digits, and every other character a `-`.
///
/// CGI, WSGI and their kin turn `Remote_User`, `REMOTE-USER` and `remote.user` into one variable; whoever strips only
/// one spelling lets the others through.
enum CanonicalName {
    @inline(__always)
    static func canonical(_ byte: UInt8) -> UInt8 {
        if byte &- 0x61 < 26 || byte &- 0x30 < 10 { return byte }
        return byte &- 0x41 < 26 ? byte | 0x20 : .dash
    }

    /// True when the name's canonical form begins with `prefix`, which is canonical itself.
    @inline(__always)
    static func hasPrefix(_ name: UnsafeRawBufferPointer, _ prefix: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard name.count >= count, let base = name.baseAddress else { return false }
        let expected = UnsafeRawPointer(prefix.utf8Start)
        for position in 0..<count where canonical(base.byte(position)) != expected.byte(position) { return false }
        return true
    }

    @inline(__always)
    static func equals(_ name: UnsafeRawBufferPointer, _ whole: StaticString) -> Bool {
        name.count == whole.utf8CodeUnitCount && hasPrefix(name, whole)
    }
}
