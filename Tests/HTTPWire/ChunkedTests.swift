import HTTPWire
import NIOCore
import Testing

/// What came out of a chunked body.
struct DecodedBody: Equatable {
    var data: [UInt8] = []
    var trailers: [String] = []
    var consumed = 0
    var isFinished = false
    var refusal: Refusal.Code?
}

/// Feeds a body in pieces that end at `cuts`, dropping what was consumed as a connection does.
func decodeChunked(_ input: [UInt8], cuts: [Int]) -> DecodedBody {
    var decoder = ChunkedDecoder()
    var result = DecodedBody()
    for cut in cuts {
        while true {
            let pending = Array(input[result.consumed..<cut])
            let event = pending.withUnsafeBytes { decoder.next($0) }
            switch event {
            case .data(let range, let consumed):
                result.data += pending[range]
                result.consumed += consumed
                continue
            case .needMore(let consumed): result.consumed += consumed
            case .invalid(let refusal):
                result.refusal = refusal.code
                return result
            case .end(let consumed):
                result.isFinished = true
                result.consumed += consumed
                pending.withUnsafeBytes { bytes in
                    result.trailers = decoder.trailers.map { "\(text($0.name, bytes)): \(text($0.value, bytes))" }
                }
                return result
            }
            break
        }
    }
    return result
}

@Suite struct ChunkedTests {
    private func decode(_ input: String) -> DecodedBody {
        let bytes = Array(input.utf8)
        let whole = decodeChunked(bytes, cuts: [bytes.count])
        var pieces = decodeChunked(bytes, cuts: Array(1...bytes.count))
        if whole.refusal != nil {
            #expect(pieces.refusal == whole.refusal, "\(input)")
            pieces.refusal = whole.refusal
        } else {
            #expect(pieces == whole, "\(input)")
        }
        return whole
    }

    @Test func bodies() {
        let body = decode(
            "5\r\nhello\r\n00A;a=b;c=\"d\\\"\\;e\"\r\n0123456789\r\n0;z\r\nX-Sum: 1\r\nY:\t2 \r\n\r\nGET /")
        #expect(body.data == Array("hello0123456789".utf8))
        #expect(body.trailers == ["X-Sum: 1", "Y: 2"])
        #expect(body.isFinished)
        #expect(body.consumed == 66)
        #expect(decode("0\r\n\r\n").isFinished)
        #expect(decode("0000000000000000\r\n\r\n").isFinished)
        #expect(!decode("5\r\nhello\r\n0\r\n").isFinished)
    }

    @Test(arguments: [
        ("\r\n", Refusal.Code.chunkSizeInvalid), ("x\r\n", .chunkSizeInvalid), ("-1\r\n", .chunkSizeInvalid),
        ("0x1\r\n", .chunkSizeInvalid), ("+1\r\n", .chunkSizeInvalid), (" 1\r\n", .chunkSizeInvalid),
        ("1 \r\n", .chunkSizeInvalid), ("1_0\r\n", .chunkSizeInvalid), ("00000000000000001\r\n", .chunkSizeInvalid),
        ("FFFFFFFFFFFFFFFF\r\n", .chunkSizeInvalid), ("8000000000000000\r\n", .chunkSizeInvalid),
        ("10000000000000000\r\n", .chunkSizeInvalid), ("1\n", .bareLineFeed), ("1\ra", .bareCarriageReturn),
        ("1;\r\n", .chunkExtensionInvalid), ("1;a=\r\n", .chunkExtensionInvalid), ("1;a b\r\n", .chunkExtensionInvalid),
        ("1; a\r\n", .chunkExtensionInvalid), ("1;a=\"b\r\n", .chunkExtensionInvalid), ("1;a\n", .bareLineFeed),
        ("1;a=\"b\"c\r\n", .chunkExtensionInvalid), ("1;a\u{0}\r\n", .chunkExtensionInvalid),
        ("1\r\nab\r\n", .chunkEndMissing), ("1\r\na\n", .chunkEndMissing), ("1\r\na\r\r", .chunkEndMissing),
        ("0\r\nX : a\r\n\r\n", .spaceBeforeColon), ("0\r\nX: a\n\r\n", .bareLineFeed), ("0\r\n\n", .bareLineFeed),
        ("0\r\nX: a\r\n b\r\n\r\n", .foldedLine), ("0\r\nGET / HTTP/1.1\r\n\r\n", .invalidFieldName),
        ("0\r\nX: \u{1}\r\n\r\n", .controlByte),
    ])
    func refused(_ input: String, _ code: Refusal.Code) {
        #expect(decode(input).refusal == code, "\(input)")
    }

    @Test func extensionsAndTrailersAreBounded() {
        let long = "1;" + String(repeating: "a", count: 2000)
        #expect(decode(long).refusal == .chunkExtensionTooLong)
        let many = String(repeating: "1;" + String(repeating: "a", count: 500) + "\r\nx\r\n", count: 40)
        #expect(decodeChunked(Array(many.utf8), cuts: [many.utf8.count]).refusal == .chunkExtensionTooLong)
        let trailers = "0\r\nX: " + String(repeating: "a", count: 9000)
        #expect(decodeChunked(Array(trailers.utf8), cuts: [trailers.utf8.count]).refusal == .trailersTooLarge)
        let fields = "0\r\n" + String(repeating: "X: a\r\n", count: 65) + "\r\n"
        #expect(decode(fields).refusal == .tooManyFields)
    }

    @Test func aFailedDecoderStaysFailedAndAFinishedOneFinished() {
        var decoder = ChunkedDecoder()
        let bad = Array("x".utf8).withUnsafeBytes { decoder.next($0) }
        #expect(bad == .invalid(Refusal(.chunkSizeInvalid)))
        #expect(Array("0\r\n\r\n".utf8).withUnsafeBytes { decoder.next($0) } == bad)
        #expect([UInt8]().withUnsafeBytes { decoder.next($0) } == bad)
        var done = ChunkedDecoder()
        #expect(Array("0\r\n\r\nab".utf8).withUnsafeBytes { done.next($0) } == .end(consumed: 5))
        #expect(Array("ab".utf8).withUnsafeBytes { done.next($0) } == .end(consumed: 0))
    }

    @Test func encodedIsDecoded() {
        for count in [1, 9, 10, 15, 16, 255, 256, 4095, 4096, 65_536, 1_048_577] {
            var buffer = ByteBuffer()
            ChunkedEncoder.writeHead(count, into: &buffer)
            #expect(String(buffer: buffer) == String(count, radix: 16) + "\r\n")
            buffer.writeRepeatingByte(0x61, count: count)
            ChunkedEncoder.writeTail(into: &buffer)
            ChunkedEncoder.writeEnd(into: &buffer)
            let bytes = Array(buffer.readableBytesView)
            let body = decodeChunked(bytes, cuts: [bytes.count])
            #expect(body.isFinished && body.data.count == count && body.consumed == bytes.count)
        }
        var empty = ByteBuffer()
        ChunkedEncoder.writeHead(0, into: &empty)
        ChunkedEncoder.writeHead(-1, into: &empty)
        #expect(empty.readableBytes == 0)
        ChunkedEncoder.writeHead(.max, into: &empty)
        #expect(String(buffer: empty) == "7fffffffffffffff\r\n")
    }
}
