import HTTPWire
import NIOCore

/// Passes a body on in the framing of the other side: lengths as they are, in slices that share the bytes; chunks
/// re-framed, all that one read brought as one chunk; trailers cleaned.
struct BodyRelay {
    enum Outcome: Equatable {
        case more, ended, tooLarge
        case invalid(Refusal)
    }

    /// Write in chunks.
    let chunked: Bool
    /// What trailers may not carry.
    let hygiene: HeaderHygiene

    /// Up to here copying is cheaper than another buffer in the write.
    static let copyLimit = 4096

    /// Takes what `buffer` has of the body.
    ///
    /// - Parameter out: what has to go out first (a head) or nothing; small or re-framed bytes are added to it.
    /// - Returns: what has to go out behind `out`, if anything, and how far the body has come.
    func pass(
        _ buffer: inout ByteBuffer, reader: inout BodyReader, allowance: inout UInt64, out: inout ByteBuffer
    ) -> (outcome: Outcome, piece: ByteBuffer?) {
        if chunked || reader.isChunked {
            return (passChunks(&buffer, &reader, &allowance, &out), nil)
        }
        switch buffer.withUnsafeReadableBytes({ reader.next($0) }) {
        case .data(_, let consumed):
            guard Self.take(UInt64(consumed), from: &allowance) else { return (.tooLarge, nil) }
            // A length that is reached is an end, without waiting for another byte.
            let outcome = reader.isEmpty ? Outcome.ended : .more
            guard let piece = buffer.readSlice(length: consumed) else { return (outcome, nil) }
            guard out.readableBytes > 0, consumed <= Self.copyLimit else { return (outcome, piece) }
            out.writeImmutableBuffer(piece)
            return (outcome, nil)
        case .needMore: return (.more, nil)
        case .end: return (.ended, nil)
        case .invalid(let refusal): return (.invalid(refusal), nil)
        }
    }

    private func passChunks(
        _ buffer: inout ByteBuffer, _ reader: inout BodyReader, _ allowance: inout UInt64, _ out: inout ByteBuffer
    ) -> Outcome {
        let result = buffer.withUnsafeReadableBytes { bytes -> (used: Int, outcome: Outcome) in
            var position = 0
            // What the bytes hold is known before the first is copied, so that it can be one chunk.
            let total = chunked ? reader.measure(bytes)?.data ?? 0 : 0
            if total > 0 {
                out.reserveCapacity(minimumWritableBytes: total + ChunkedEncoder.frame)
                ChunkedEncoder.writeHead(total, into: &out)
            }
            while true {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
                switch reader.next(rest) {
                case .data(let range, let consumed):
                    guard Self.take(UInt64(range.count), from: &allowance) else { return (position, .tooLarge) }
                    out.writeBytes(UnsafeRawBufferPointer(rebasing: rest[range]))
                    position += consumed
                case .needMore(let consumed):
                    if total > 0 { ChunkedEncoder.writeTail(into: &out) }
                    return (position + consumed, .more)
                case .end(let consumed):
                    if total > 0 { ChunkedEncoder.writeTail(into: &out) }
                    if chunked { writeEnd(reader.trailers, rest, into: &out) }
                    return (position + consumed, .ended)
                case .invalid(let refusal): return (position, .invalid(refusal))
                }
            }
        }
        buffer.moveReaderIndex(forwardBy: result.used)
        return result.outcome
    }

    private func writeEnd(_ trailers: [HeaderField], _ bytes: UnsafeRawBufferPointer, into out: inout ByteBuffer) {
        guard !trailers.isEmpty else { return ChunkedEncoder.writeEnd(into: &out) }
        ChunkedEncoder.writeLastChunk(into: &out)
        for field in trailers where hygiene.forwardsTrailer(field, in: bytes) {
            out.writeBytes(field.name.bytes(in: bytes))
            out.writeStaticString(": ")
            out.writeBytes(field.value.bytes(in: bytes))
            out.writeStaticString("\r\n")
        }
        ChunkedEncoder.writeTail(into: &out)
    }

    private static func take(_ count: UInt64, from allowance: inout UInt64) -> Bool {
        guard count <= allowance else { return false }
        if allowance != .max { allowance -= count }
        return true
    }
}
