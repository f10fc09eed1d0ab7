/// What every stored value begins with, little endian:
///
///     0        2        4                8                               16
///     | schema | flags  | zero           | revision                      | record …
///
/// The revision names the write transaction; a record that was written again has another one, so a cache that compares
/// revisions need not decode. The flags are zero so far.
struct RecordHeader {
    static let byteCount = 16

    let schema: UInt16
    let revision: UInt64

    /// - Returns: nil when `value` is too short to be one of ours.
    init?(_ value: UnsafeRawBufferPointer) {
        guard value.count >= Self.byteCount else { return nil }
        schema = UInt16(littleEndian: value.loadUnaligned(as: UInt16.self))
        revision = UInt64(littleEndian: value.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    static func append(schema: UInt16, revision: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: schema.littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: repeatElement(0, count: 6))
        withUnsafeBytes(of: revision.littleEndian) { bytes.append(contentsOf: $0) }
    }

    static func body(of value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: value[byteCount...])
    }
}
