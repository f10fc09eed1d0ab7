/// Which `Upgrade` values may be passed on.
public enum UpgradeToken {
    /// True for one protocol (`name` or `name/version`, RFC 9110 section 7.8) that does not change how this very
    /// connection is framed or secured: never `h2c`, `h2`, `http/*`, `tls/*`, and no list.
    public static func isAcceptable(_ value: UnsafeRawBufferPointer) -> Bool {
        guard !value.isEmpty, value.count <= 64 else { return false }
        var slash = value.count
        for position in 0..<value.count {
            let byte = value[position]
            if byte == .slash, slash == value.count {
                slash = position
            } else if !ByteClass.isToken(byte) {
                return false
            }
        }
        guard slash > 0, slash + 1 != value.count else { return false }
        let name = UnsafeRawBufferPointer(rebasing: value[..<slash])
        return
            !(ASCIIText.equalsIgnoringCase(name, "h2c") || ASCIIText.equalsIgnoringCase(name, "h2")
            || ASCIIText.equalsIgnoringCase(name, "http") || ASCIIText.equalsIgnoringCase(name, "tls"))
    }
}
