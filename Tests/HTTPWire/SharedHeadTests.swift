import HTTPWire
import Testing

/// All connections of a loop parse into one head; what one of them has begun must survive what the others parse.
@Suite struct SharedHeadTests {
    private static let first =
        "POST /first/page?x=1 HTTP/1.1\r\nAccept: */*\r\nHost: one.example\r\nContent-Length: 3\r\n\r\n"
    private static let second =
        "\r\nGET /b HTTP/1.1\r\nHost: the-other.example\r\nX-API-Key: k\r\nConnection: close\r\n\r\n"

    private func step(
        _ input: String, to count: Int, _ parser: inout RequestParser, _ head: inout RequestHead
    ) -> ParsedRequest? {
        Array(input.utf8.prefix(count)).withUnsafeBytes { bytes in
            parser.parse(bytes, into: &head) == .complete ? head.asText(bytes) : nil
        }
    }

    @Test func requestsThatComeInTurns() {
        let alone = [Self.first, Self.second].map { parse(Array($0.utf8), cuts: [$0.utf8.count]).request }
        for i in 1..<Self.first.utf8.count {
            for j in stride(from: 1 + i % 3, to: Self.second.utf8.count, by: 3) {
                var shared = RequestHead()
                var parsers = (RequestParser(), RequestParser())
                #expect(step(Self.first, to: i, &parsers.0, &shared) == nil)
                #expect(step(Self.second, to: j, &parsers.1, &shared) == nil)
                #expect(step(Self.first, to: Self.first.utf8.count, &parsers.0, &shared) == alone[0], "\(i) \(j)")
                #expect(step(Self.second, to: Self.second.utf8.count, &parsers.1, &shared) == alone[1], "\(i) \(j)")
            }
        }
    }

    @Test func aByteOfEachInTurn() {
        var shared = RequestHead()
        var parsers = (RequestParser(), RequestParser())
        var found: (ParsedRequest?, ParsedRequest?)
        let (first, second) = (Self.first, Self.second)
        for count in 1...max(first.utf8.count, second.utf8.count) {
            if count <= first.utf8.count { found.0 = step(first, to: count, &parsers.0, &shared) ?? found.0 }
            if count <= second.utf8.count { found.1 = step(second, to: count, &parsers.1, &shared) ?? found.1 }
        }
        #expect(found.0 == parse(Array(Self.first.utf8), cuts: [Self.first.utf8.count]).request)
        #expect(found.1 == parse(Array(Self.second.utf8), cuts: [Self.second.utf8.count]).request)
    }

    @Test func answersThatComeInTurns() {
        let inputs = [
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: a\r\n\r\n",
            "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nTransfer: no\r\nContent-Length: 7\r\n\r\n",
        ].map { Array($0.utf8) }
        for i in 1..<inputs[0].count {
            for j in 1..<inputs[1].count {
                var shared = ResponseHead()
                var parsers = [ResponseParser(), ResponseParser()]
                for (index, count) in [i, j].enumerated() {
                    let result = Array(inputs[index][..<count]).withUnsafeBytes {
                        parsers[index].parse($0, requestMethod: .get, into: &shared)
                    }
                    #expect(result == .incomplete)
                }
                for (index, expected) in [(200, 12), (404, 7)].enumerated() {
                    let result = inputs[index].withUnsafeBytes {
                        parsers[index].parse($0, requestMethod: .get, into: &shared)
                    }
                    #expect(result == .complete && shared.status == expected.0, "\(i) \(j)")
                    #expect(shared.framing == .length(UInt64(expected.1)) && shared.headLength == inputs[index].count)
                }
            }
        }
    }
}
