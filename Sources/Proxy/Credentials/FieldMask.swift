/// Which fields of a head are left out when it is forwarded, one bit a field.
///
/// Held in place and without references: it is copied on the way of every request.
struct FieldMask: Equatable {
    /// As many fields as a head may have.
    static let capacity = 128 + 64 * 14

    private var first: UInt128 = 0
    /// Of the fields behind the first 128, which hardly any request has.
    private var beyond = InlineArray<14, UInt64>(repeating: 0)
    private var count = 0

    var isEmpty: Bool { count == 0 }

    /// - Parameter index: of the field; one that no head can have changes nothing.
    mutating func insert(_ index: Int) {
        guard !contains(index), (0..<Self.capacity).contains(index) else { return }
        count += 1
        if index < 128 {
            first |= 1 << UInt128(index)
        } else {
            beyond[(index - 128) / 64] |= 1 << UInt64(index % 64)
        }
    }

    mutating func remove(_ index: Int) {
        guard contains(index) else { return }
        count -= 1
        if index < 128 {
            first &= ~(1 << UInt128(index))
        } else {
            beyond[(index - 128) / 64] &= ~(1 << UInt64(index % 64))
        }
    }

    @inline(__always)
    func contains(_ index: Int) -> Bool {
        guard count > 0, index >= 0 else { return false }
        return index < 128 ? first >> UInt128(index) & 1 == 1 : containsBeyond(index)
    }

    private func containsBeyond(_ index: Int) -> Bool {
        index < Self.capacity && beyond[(index - 128) / 64] >> UInt64(index % 64) & 1 == 1
    }

    static func == (left: FieldMask, right: FieldMask) -> Bool {
        left.first == right.first && left.beyond.indices.allSatisfy { left.beyond[$0] == right.beyond[$0] }
    }
}
