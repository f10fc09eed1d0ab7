import NIOCore
import NIOHPACK
import Testing

@testable import Proxy

/// What fields become as lines, and what never becomes one.
struct RequestBytesTests {
    private static let pseudo: [(String, String)] = [
        (":method", "POST"), (":scheme", "https"), (":authority", "wiki.example.com"), (":path", "/a?b=c"),
    ]

    private func render(
        _ fields: [(String, String)], endStream: Bool = true
    ) throws(RequestBytes.Malformed) -> (text: String, head: RequestBytes.Head) {
        var out = ByteBuffer()
        let head = try RequestBytes.writeHead(HPACKHeaders(fields), endStream: endStream, into: &out)
        return (String(buffer: out), head)
    }

    @Test func aHead() throws {
        let (text, head) = try render(Self.pseudo + [("accept", "*/*"), ("x-empty", "")])
        #expect(text == "POST /a?b=c HTTP/1.1\r\nhost: wiki.example.com\r\naccept: */*\r\nx-empty: \r\n\r\n")
        #expect(head == RequestBytes.Head(framing: .none, isHead: false))
    }

    @Test func bodies() throws {
        #expect(try render(Self.pseudo, endStream: false).head.framing == .chunked)
        #expect(try render(Self.pseudo, endStream: false).text.hasSuffix("transfer-encoding: chunked\r\n\r\n"))
        let announced = try render(Self.pseudo + [("content-length", "7")], endStream: false)
        #expect(announced.head.framing == .length(7))
        #expect(announced.text.contains("content-length: 7\r\n") && !announced.text.contains("chunked"))
        #expect(try render(Self.pseudo + [("content-length", "0")]).head.framing == .none)
    }

    @Test func cookiesAreOneLine() throws {
        let (text, _) = try render(Self.pseudo + [("cookie", "a=1"), ("x", "1"), ("cookie", "b=2")])
        #expect(text.hasSuffix("x: 1\r\ncookie: a=1; b=2\r\n\r\n"))
    }

    @Test func hosts() throws {
        #expect(try render(Self.pseudo + [("host", "WIKI.example.com")]).text.components(of: "host: ") == 1)
        // Refused by the parser, which sees both.
        #expect(try render(Self.pseudo + [("host", "other")]).text.components(of: "host: ") == 2)
        #expect(
            try render(Self.pseudo + [("host", "wiki.example.com"), ("host", "a")]).text.components(of: "host: ") == 2)
        let alone = Self.pseudo.filter { $0.0 != ":authority" } + [("host", "a")]
        #expect(try render(alone).text.components(of: "host: ") == 1)
    }

    @Test(arguments: [
        "content-length: ", "content-length: 1", "content-length: -1", "content-length: 1, 1", "content-length: 0x1",
        "content-length: 99999999999999999999", "te: gzip", "te: trailers, gzip", "connection: close", "upgrade: x",
        "transfer-encoding: chunked", "keep-alive: 1", "proxy-connection: close", "X-Upper: 1", "x y: 1", ": 1",
        "x\r\ny: 1", ":path: /b", ":status: 200", ":protocol: websocket", "x:y: 1", "x\0: 1",
    ])
    func malformed(_ line: String) throws {
        let colon = try #require(line.range(of: ": "))
        let field = (String(line[..<colon.lowerBound]), String(line[colon.upperBound...]))
        #expect(throws: RequestBytes.Malformed.self) { try render(Self.pseudo + [field]) }
    }

    @Test(arguments: ["a\rb", "a\nb", "a\0b", " a", "a ", "\ta", "a\t", "a\r\nb: c", "a\r\n\r\nGET / HTTP/1.1\r\n"])
    func malformedValues(_ value: String) {
        #expect(throws: RequestBytes.Malformed.self) { try render(Self.pseudo + [("x", value)]) }
        for index in Self.pseudo.indices {
            var fields = Self.pseudo
            fields[index].1 = value
            #expect(throws: RequestBytes.Malformed.self) { try render(fields) }
        }
    }

    @Test(arguments: ["", "a", "http://b/", "*/", "//a b", "a/../b", "\u{7f}/"])
    func lesson83_pathsBeginWithASlash(_ path: String) {
        var fields = Self.pseudo
        fields[3].1 = path
        #expect(throws: RequestBytes.Malformed.self) { try render(fields) }
    }

    @Test func trailers() throws {
        var out = ByteBuffer()
        try RequestBytes.writeTrailers(HPACKHeaders([("x-sum", "1"), ("y", "")]), into: &out)
        #expect(String(buffer: out) == "0\r\nx-sum: 1\r\ny: \r\n\r\n")
        for bad in [(":path", "/"), ("transfer-encoding", "chunked"), ("x", "a\r\nb"), ("X", "1")] {
            #expect(throws: RequestBytes.Malformed.self) {
                try RequestBytes.writeTrailers(HPACKHeaders([bad]), into: &out)
            }
        }
    }
}

/// One head, and of the body what was announced.
struct RequestStreamTests {
    @Test func aBodyOfKnownLength() {
        var stream = RequestStream()
        #expect(stream.head(.length(5), endStream: false) == .pass)
        #expect(!stream.isChunked)
        #expect(stream.data(3, endStream: false) == .pass)
        #expect(stream.data(2, endStream: false) == .pass)
        #expect(stream.data(0, endStream: true) == .passLast)
        #expect(stream.hasEnded)
        #expect(stream.data(1, endStream: true) == .malformed)
    }

    @Test func tooMuchAndTooLittle() {
        for (count, end) in [(6, false), (6, true), (4, true)] {
            var stream = RequestStream()
            _ = stream.head(.length(5), endStream: false)
            #expect(stream.data(count, endStream: end) == .malformed)
            // It is reset once, and what still comes is nothing.
            #expect(stream.data(1, endStream: false) == .ignore)
            #expect(stream.trailers(endStream: true) == .ignore)
        }
        var stream = RequestStream()
        _ = stream.head(.length(5), endStream: false)
        #expect(stream.trailers(endStream: true) == .malformed)
    }

    @Test func chunksAndTrailers() {
        var stream = RequestStream()
        #expect(stream.head(.chunked, endStream: false) == .pass)
        #expect(stream.isChunked)
        #expect(stream.data(9, endStream: false) == .pass)
        #expect(stream.trailers(endStream: true) == .passLast)
        #expect(stream.head(.none, endStream: true) == .malformed)
    }

    @Test func onlyOneHead() {
        var stream = RequestStream()
        #expect(stream.data(1, endStream: false) == .malformed)
        stream = RequestStream()
        #expect(stream.head(.none, endStream: true) == .passLast)
        #expect(stream.head(.none, endStream: true) == .malformed)
        stream = RequestStream()
        _ = stream.head(.chunked, endStream: false)
        #expect(stream.trailers(endStream: false) == .malformed)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.range(of: part) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }

    fileprivate func range(of part: String) -> Range<Index>? { self[...].range(of: part) }
}

extension Substring {
    fileprivate func range(of part: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(part) { return start..<index(start, offsetBy: part.count) }
            start = index(after: start)
        }
        return nil
    }
}
