extension RequestRewriting {
    /// What is left of `path` when `prefix` is taken off; nil when it does not begin with it.
    ///
    /// The path has been judged with its escapes decoded, so it is compared like that; what is left is as it came.
    static func strip(
        _ prefix: [UInt8], from path: UnsafeRawBufferPointer, ignoringCase: Bool
    ) -> UnsafeRawBufferPointer? {
        guard !prefix.isEmpty else { return path }
        guard let length = length(of: prefix, in: path, ignoringCase: ignoringCase) else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: path[length...])
        guard let first = rest.first else { return slash(in: path) }
        return first == UInt8(ascii: "/") ? rest : nil
    }

    /// How many bytes of `path` are `prefix`; nil: it begins with something else.
    private static func length(of prefix: [UInt8], in path: UnsafeRawBufferPointer, ignoringCase: Bool) -> Int? {
        var position = 0
        for expected in prefix {
            guard position < path.count else { return nil }
            var byte = path[position]
            position += 1
            if byte == UInt8(ascii: "%"), byte != expected {
                guard let decoded = escaped(in: path, at: position) else { return nil }
                byte = decoded
                position += 2
            }
            guard byte != expected else { continue }
            guard ignoringCase, ByteSearch.lower(byte) == ByteSearch.lower(expected) else { return nil }
        }
        return position
    }

    /// The byte whose two digits stand at `position`; nil for none, and for a slash or a backslash, which are no
    /// separators where a route keeps them encoded.
    private static func escaped(in path: UnsafeRawBufferPointer, at position: Int) -> UInt8? {
        guard position + 1 < path.count, let high = digit(path[position]), let low = digit(path[position + 1]) else {
            return nil
        }
        let byte = high << 4 | low
        return byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") ? nil : byte
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// The path of a request whose whole path was the prefix: the slash that it began with.
    private static func slash(in path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: path.prefix(1))
    }
}
