import HTTPWire

/// Counts how often a request has come through a Gatehouse already.
enum ViaLoop {
    /// More than this many passes are a loop.
    static let maximumPasses = 2

    static func isLooping(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ scan: HeadScan) -> Bool {
        guard scan.vias > 0 else { return false }
        var passes = 0
        for index in head.fields.indices where head.fields[index].id == .via {
            passes += Self.passes(head.fields[index].value.bytes(in: bytes))
        }
        return passes >= maximumPasses
    }

    /// How many elements of the list name us as the one who received it (RFC 9110 section 7.6.3).
    private static func passes(_ value: UnsafeRawBufferPointer) -> Int {
        var count = 0
        for element in value.split(separator: UInt8(ascii: ",")) {
            let words = element.split(whereSeparator: ByteSearch.isBlank)
            guard words.count >= 2 else { continue }
            let name = UnsafeRawBufferPointer(rebasing: words[1])
            if ASCIIText.equalsIgnoringCase(name, "gatehouse") { count += 1 }
        }
        return count
    }
}
