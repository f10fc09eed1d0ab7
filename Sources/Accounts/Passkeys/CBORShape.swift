/// Whether bytes are CBOR of a shape that may be handed to libcbor and libfido2, looked at without making anything of it.
///
/// libcbor makes room for as many members as a head speaks of, and writes to all of it, before the first of them is
/// there: nine bytes would take as much memory as the machine has. Here every length has to fit into what is left.
/// Authenticators write the canonical form of CTAP 2, which has neither indefinite lengths nor tags, and is not deep.
enum CBORShape {
    private static let deepest = 8

    /// - Parameters:
    ///   - start: where the first item begins.
    ///   - count: exactly so many items, and nothing behind them.
    static func isGood(_ bytes: [UInt8], from start: Int = 0, count: Int = 1) -> Bool {
        guard start <= bytes.count else { return false }
        var reader = Reader(bytes: bytes, position: start)
        for _ in 0..<count {
            guard reader.skipItem(depth: deepest) else { return false }
        }
        return reader.position == bytes.count
    }

    private struct Reader {
        let bytes: [UInt8]
        var position: Int

        private var left: Int { bytes.count - position }

        mutating func skipItem(depth: Int) -> Bool {
            guard depth > 0, left > 0 else { return false }
            let head = bytes[position]
            position += 1
            guard let argument = argument(head & 31) else { return false }
            switch head >> 5 {
            case 0, 1: return true
            case 2, 3:
                guard argument <= UInt64(left) else { return false }
                position += Int(argument)
                return true
            case 4: return skipItems(argument, depth: depth)
            case 5: return argument <= UInt64(left) && skipItems(argument * 2, depth: depth)
            // Numbers, and what is neither true, false, null nor undefined.
            case 7: return (20...23).contains(head & 31) || head & 31 > 24
            default: return false
            }
        }

        private mutating func skipItems(_ count: UInt64, depth: Int) -> Bool {
            // Each takes a byte at least.
            guard count <= UInt64(left) else { return false }
            for _ in 0..<count {
                guard skipItem(depth: depth - 1) else { return false }
            }
            return true
        }

        /// - Returns: nil for an indefinite length, and for what is cut off.
        private mutating func argument(_ information: UInt8) -> UInt64? {
            guard information >= 24 else { return UInt64(information) }
            guard information <= 27 else { return nil }
            let count = 1 << Int(information - 24)
            guard count <= left else { return nil }
            defer { position += count }
            return bytes[position..<position + count].reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}

extension AuthenticatorData {
    /// Whether what follows the head is as the flags say: a credential with its key, extensions, and nothing else.
    static func isGood(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= headCount else { return false }
        let flags = bytes[32]
        var start = headCount
        if flags & 64 != 0 {
            // 16 bytes of the model, 2 of the id's length, the id.
            guard bytes.count >= start + 18 else { return false }
            start += 18 + (Int(bytes[start + 16]) << 8 | Int(bytes[start + 17]))
        }
        return CBORShape.isGood(bytes, from: start, count: (flags & 64 != 0 ? 1 : 0) + (flags & 128 != 0 ? 1 : 0))
    }
}
