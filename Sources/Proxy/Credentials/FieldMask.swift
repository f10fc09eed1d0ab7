/// Which fields of a head are left out when it is forwarded, one bit a field.
///
/// Held in place and without references: it is copied on the way of every request.
struct FieldMask: Equatable {
    /// As many fields as a head may have.
    static let capacity = 256

    private var first: UInt128 = 0
    private var second: UInt128 = 0

    var isEmpty: Bool { first | second == 0 }

    /// - Parameter index: of the field; one that no head can have changes nothing.
    mutating func insert(_ index: Int) {
        guard (0..<Self.capacity).contains(index) else { return }
        if index < 128 { first |= Self.bit(index) } else { second |= Self.bit(index) }
    }

    mutating func remove(_ index: Int) {
        guard (0..<Self.capacity).contains(index) else { return }
        if index < 128 { first &= ~Self.bit(index) } else { second &= ~Self.bit(index) }
    }

    @inline(__always)
    func contains(_ index: Int) -> Bool {
        guard !isEmpty, (0..<Self.capacity).contains(index) else { return false }
        return (index < 128 ? first : second) & Self.bit(index) != 0
    }

    private static func bit(_ index: Int) -> UInt128 { 1 &<< UInt128(index & 127) }
}
