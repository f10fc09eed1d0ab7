/// What can be the value of a row.
public protocol TableRecord: Sendable {
    /// The version of the encoding. A value with a greater one is refused with `schemaTooNew`; a smaller one is given
    /// to ``init(decoding:)``, which has to know it.
    static var schema: UInt16 { get }
    /// Reads what ``encode(into:)`` wrote. The bytes lie in the map and must not outlive the call.
    init(decoding bytes: UnsafeRawBufferPointer) throws
    /// Appends the encoding to `bytes`, which holds the header already.
    func encode(into bytes: inout [UInt8]) throws
}
