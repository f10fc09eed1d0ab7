/// Which fields of a head are left out when it is forwarded, one bit a field.
struct FieldMask: Equatable {
    private var bits: UInt128 = 0
    /// Of the fields behind the first 128, which hardly any request has; nil: none of them.
    private var beyond: [UInt64]?

    mutating func insert(_ index: Int) {
        guard index >= 128 else {
            if index >= 0 { bits |= 1 << UInt128(index) }
            return
        }
        let word = (index - 128) / 64
        var words = beyond ?? []
        beyond = nil
        while words.count <= word { words.append(0) }
        words[word] |= 1 << UInt64(index % 64)
        beyond = words
    }

    mutating func remove(_ index: Int) {
        guard index >= 128 else {
            if index >= 0 { bits &= ~(1 << UInt128(index)) }
            return
        }
        let word = (index - 128) / 64
        guard var words = beyond, word < words.count else { return }
        words[word] &= ~(1 << UInt64(index % 64))
        beyond = words.allSatisfy { $0 == 0 } ? nil : words
    }

    func contains(_ index: Int) -> Bool {
        guard index < 128 else { return containsBeyond(index) }
        return bits != 0 && index >= 0 && bits >> UInt128(index) & 1 == 1
    }

    private func containsBeyond(_ index: Int) -> Bool {
        let word = (index - 128) / 64
        guard let beyond, word < beyond.count else { return false }
        return beyond[word] >> UInt64(index % 64) & 1 == 1
    }

    var isEmpty: Bool { bits == 0 && beyond == nil }
}
