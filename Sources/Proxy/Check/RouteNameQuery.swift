/// `?route=NAME`, by which an operator's proxy says which route it asks about.
enum RouteNameQuery: Equatable {
    case none
    case name([UInt8])
    /// Two of them, or one that cannot be read.
    case unclear

    init(_ query: UnsafeRawBufferPointer) {
        self = .none
        for part in query.split(separator: UInt8(ascii: "&")) {
            let part = UnsafeRawBufferPointer(rebasing: part)
            guard ByteSearch.hasPrefix(part, "route") else { continue }
            let rest = UnsafeRawBufferPointer(rebasing: part.dropFirst(5))
            if let first = rest.first, first != UInt8(ascii: "=") { continue }
            guard self == .none, let name = Self.decoded(UnsafeRawBufferPointer(rebasing: rest.dropFirst())),
                !name.isEmpty
            else {
                self = .unclear
                return
            }
            self = .name(name)
        }
    }

    private static func decoded(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var name: [UInt8] = []
        var position = 0
        while position < text.count {
            if text[position] == UInt8(ascii: "%") {
                guard position + 2 < text.count, let high = digit(text[position + 1]),
                    let low = digit(text[position + 2])
                else { return nil }
                name.append(high << 4 | low)
                position += 3
            } else {
                name.append(text[position])
                position += 1
            }
        }
        return name
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
