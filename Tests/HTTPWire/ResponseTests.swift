import HTTPWire
import Testing

@Suite struct ResponseTests {
    private func parse(_ input: String, method: Method = .get, cuts: [Int]? = nil) -> (ParseResult, ResponseHead) {
        var parser = ResponseParser()
        var head = ResponseHead()
        let bytes = Array(input.utf8)
        var result = ParseResult.incomplete
        for cut in cuts ?? [bytes.count] where result == .incomplete {
            result = Array(bytes[..<cut]).withUnsafeBytes { parser.parse($0, requestMethod: method, into: &head) }
        }
        return (result, head)
    }

    private func code(_ input: String, method: Method = .get) -> Refusal.Code? {
        let whole = parse(input, method: method).0
        #expect(parse(input, method: method, cuts: Array(1...input.utf8.count)).0 == whole, "\(input)")
        if case .refused(let refusal) = whole { return refusal.code }
        #expect(whole == .complete, "\(input)")
        return nil
    }

    @Test(arguments: [
        ("HTTP/2.0 200 OK\r\n\r\n", Refusal.Code.malformedStatusLine), ("HTTP/1.1 20 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1 099 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n", .malformedStatusLine), ("http/1.1 200 OK\r\n\r\n", .malformedStatusLine),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", .malformedStatusLine), ("SSH-2.0-OpenSSH_9.2\r\n", .malformedStatusLine),
        ("HTTP/1.1 200 OK\n\n", .bareLineFeed), ("HTTP/1.1 200 O\rK\r\n\r\n", .bareCarriageReturn),
        ("HTTP/1.1 200 O\u{0}K\r\n\r\n", .controlByte), ("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", .spaceBeforeColon),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", .foldedLine), ("HTTP/1.1 200 OK\r\nX: a\u{1}\r\n\r\n", .controlByte),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .lengthRepeated),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", .lengthInvalid),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthAndCoding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .codingInvalid),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .codingInvalid),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .codingInOldVersion),
        ("HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\n", .bodyNotAllowed),
        ("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", .bodyNotAllowed),
        ("HTTP/1.1 100 Go\r\nContent-Length: 1\r\n\r\n", .bodyNotAllowed),
        ("HTTP/1.1 101 Switch\r\nTransfer-Encoding: chunked\r\n\r\n", .bodyNotAllowed),
        ("HTTP/1.1 304 Not\r\nContent-Length: x\r\n\r\n", .lengthInvalid),
    ])
    func refused(_ input: String, _ expected: Refusal.Code) {
        #expect(code(input) == expected, "\(input)")
    }

    @Test func aHeadWithoutEndIsBounded() {
        #expect(parse("HTTP/1.1 200 " + String(repeating: "a", count: 70_000)).0 == .refused(Refusal(.headTooLarge)))
        let long = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 70_000)
        #expect(parse(long).0 == .refused(Refusal(.headTooLarge)))
        #expect(parse(long + "\r\n\r\n").0 == .refused(Refusal(.headTooLarge)))
        let many = "HTTP/1.1 200 OK\r\n" + String(repeating: "X: a\r\n", count: 257) + "\r\n"
        #expect(parse(many).0 == .refused(Refusal(.tooManyFields)))
    }

    @Test func framing() {
        func framing(_ input: String, _ method: Method = .get) -> ResponseFraming {
            parse(input, method: method).1.framing
        }
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(framing(length) == .length(5))
        #expect(framing(length, .head) == .none)
        #expect(framing(chunked) == .chunked)
        #expect(framing(chunked, .head) == .none)
        #expect(framing("HTTP/1.1 200\r\n\r\n") == .untilClose)
        #expect(framing("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n") == .none)
        #expect(framing("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n") == .none)
        #expect(framing("HTTP/1.1 100 Continue\r\n\r\n") == .none)
        #expect(framing("HTTP/1.1 200 OK\r\n\r\n", .head) == .none)
    }

    @Test func connectionAndUpgrade() {
        #expect(parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").1.keepAlive)
        #expect(!parse("HTTP/1.1 200 OK\r\n\r\n").1.keepAlive)
        #expect(!parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").1.keepAlive)
        #expect(!parse("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").1.keepAlive)
        #expect(parse("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n").1.keepAlive)
        let switching = parse("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").1
        #expect(switching.upgrade != nil && !switching.isInformational)
        #expect(parse("HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n").1.upgrade == nil)
        #expect(parse("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n").1.isInformational)
    }

    @Test func fieldsThatGoOn() {
        let input =
            "HTTP/1.1 200 \r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 2\r\nProxy-Authenticate: 3\r\n"
            + "Set-Cookie: 4\r\nServer: 5\r\nContent-Length: 0\r\n\r\n"
        let bytes = Array(input.utf8)
        let head = parse(input).1
        #expect(head.status == 200 && head.reasonPhrase.isEmpty && head.headLength == bytes.count)
        let names = bytes.withUnsafeBytes { bytes in
            head.fields.filter { HeaderHygiene().forwards($0, of: head, in: bytes) }.map { text($0.name, bytes) }
        }
        #expect(names == ["Set-Cookie", "Server", "Content-Length"])
    }
}
