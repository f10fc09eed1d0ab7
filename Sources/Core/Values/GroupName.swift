/// The names that groups have (`[A-Za-z0-9._:@/-]{1,64}`): no comma, so that a list of them is unambiguous.
public enum GroupName {
    /// `text` is such a name.
    public static func isValid(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(isAllowed)
    }

    /// A byte that may stand in such a name.
    public static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "/"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// One of Gatehouse's own groups, which only the operator gives.
    public static func isReserved(_ text: String) -> Bool {
        text.lowercased().hasPrefix("gatehouse-")
    }
}
