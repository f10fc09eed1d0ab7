/// A host pattern of a route.
enum HostPattern: Hashable {
    case any
    /// Canonical bytes.
    case exact([UInt8])
    /// Everything that ends in these canonical bytes and is longer; they begin with a dot.
    case below([UInt8])

    /// - Returns: nil when `text` is neither a host name nor `*.` and one.
    init?(configured text: String) {
        let isWildcard = text.hasPrefix("*.")
        guard let name = HostName.canonical(configured: isWildcard ? String(text.dropFirst(2)) : text),
            !isWildcard || name.utf8.first != UInt8(ascii: "[")
        else { return nil }
        self = isWildcard ? .below(Array(".".utf8) + Array(name.utf8)) : .exact(Array(name.utf8))
    }

    /// As it is compared.
    var description: String {
        switch self {
        case .any: "any"
        case .exact(let bytes): String(decoding: bytes, as: UTF8.self)
        case .below(let bytes): "*" + String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Every host that `other` matches, this one matches too.
    func covers(_ other: HostPattern) -> Bool {
        switch (self, other) {
        case (.any, _): true
        case (_, .any): false
        case (.exact(let left), .exact(let right)): left == right
        case (.exact, .below): false
        case (.below(let suffix), .exact(let bytes)): bytes.count > suffix.count && Self.ends(bytes, with: suffix)
        case (.below(let left), .below(let right)): Self.ends(right, with: left)
        }
    }

    private static func ends(_ bytes: [UInt8], with suffix: [UInt8]) -> Bool {
        bytes.count >= suffix.count && bytes.suffix(suffix.count).elementsEqual(suffix)
    }
}

/// For each host the routes that could take it, in their order. Built once; a look-up hashes the host's bytes from
/// their end, so that every suffix's hash comes on the way, and allocates nothing.
struct HostTable: Sendable {
    private struct Entry: Sendable {
        let bytes: [UInt8]
        let candidates: [Int]
    }

    private let slots: [Int32]
    private let entries: [Entry]
    private let hasWildcards: Bool
    /// The routes for any host.
    let anyHost: [Int]

    /// - Parameter routes: each route's patterns, in the order of the routes.
    init(_ routes: [[HostPattern]]) {
        var patterns: [HostPattern] = []
        for pattern in routes.joined() where pattern != .any && !patterns.contains(pattern) { patterns.append(pattern) }
        func candidates(_ pattern: HostPattern) -> [Int] {
            routes.indices.filter { index in routes[index].contains { $0.covers(pattern) } }
        }
        var entries: [Entry] = []
        var hasWildcards = false
        for pattern in patterns {
            switch pattern {
            case .any: break
            case .exact(let bytes): entries.append(Entry(bytes: bytes, candidates: candidates(pattern)))
            case .below(let bytes):
                hasWildcards = true
                entries.append(Entry(bytes: bytes, candidates: candidates(pattern)))
            }
        }
        var capacity = 8
        while capacity < entries.count * 2 { capacity *= 2 }
        var slots = [Int32](repeating: -1, count: capacity)
        for (index, entry) in entries.enumerated() {
            var hash = Self.seed
            for byte in entry.bytes.reversed() { hash = Self.mix(hash, byte) }
            var slot = Self.slot(hash, capacity)
            while slots[slot] >= 0 { slot = (slot + 1) & (capacity - 1) }
            slots[slot] = Int32(truncatingIfNeeded: index)
        }
        self.slots = slots
        self.entries = entries
        self.hasWildcards = hasWildcards
        anyHost = candidates(.any)
    }

    /// The routes for `host`, in their order. The longest wildcard's list holds those of the shorter ones too.
    func candidates(_ host: Span<UInt8>, _ range: Range<Int>) -> [Int] {
        if entries.isEmpty { return anyHost }
        var hash = Self.seed
        var best = -1
        var index = range.upperBound
        while index > range.lowerBound {
            index -= 1
            let byte = Wildcard.folded(host[index])
            hash = Self.mix(hash, byte)
            if hasWildcards, byte == UInt8(ascii: "."), index > range.lowerBound {
                let found = find(hash, host, index..<range.upperBound)
                if found >= 0 { best = found }
            }
        }
        let exact = find(hash, host, range)
        if exact >= 0 { best = exact }
        return best < 0 ? anyHost : entries[best].candidates
    }

    private func find(_ hash: UInt64, _ host: Span<UInt8>, _ range: Range<Int>) -> Int {
        var slot = Self.slot(hash, slots.count)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            let bytes = entries[index].bytes
            if bytes.count == range.count {
                var position = 0
                while position < bytes.count,
                    bytes[position] == Wildcard.folded(host[range.lowerBound + position])
                {
                    position += 1
                }
                if position == bytes.count { return index }
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return -1
    }

    private static let seed: UInt64 = 0xcbf2_9ce4_8422_2325

    @inline(__always)
    private static func mix(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }

    @inline(__always)
    private static func slot(_ hash: UInt64, _ capacity: Int) -> Int {
        Int(truncatingIfNeeded: hash ^ hash >> 32) & (capacity - 1)
    }
}
