import HTTPWire
import NIOCore
import NIOHPACK
import Testing

@testable import Proxy

/// Answers in HTTP/2 as the HTTP/1.1 that says the same.
struct UpstreamAnswerTests {
    /// SplitMix64.
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return value ^ value >> 31
        }
    }

    /// One step of an answer.
    enum Step {
        case head([(String, String)], last: Bool = false)
        case data(String, last: Bool = false)
    }

    /// - Returns: what went up after each step.
    private func pieces(_ steps: [Step], to method: HTTPWire.Method = .get) throws -> [String] {
        var answer = UpstreamAnswerBytes(method: method)
        return try steps.map { step in
            var out = ByteBuffer()
            switch step {
            case .head(let fields, let last):
                try answer.takeHeaders(HPACKHeaders(fields), isLast: last, into: &out)
            case .data(let text, let last): try answer.takeData(ByteBuffer(string: text), isLast: last, into: &out)
            }
            return String(buffer: out)
        }
    }

    private func malformed(_ steps: [Step], to method: HTTPWire.Method = .get) -> Bool {
        do {
            _ = try pieces(steps, to: method)
            return false
        } catch {
            return error is UpstreamAnswerBytes.Malformed
        }
    }

    private static let ok = (":status", "200")

    @Test func aBodyOfUnknownLengthGoesInChunks() throws {
        let seen = try pieces([
            .head([Self.ok, ("x-a", "1")]), .data("hello"), .data(""), .data("0123456789abcdef0", last: true),
        ])
        #expect(
            seen == [
                "HTTP/1.1 200 \r\nx-a: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n", "",
                "11\r\n0123456789abcdef0\r\n0\r\n\r\n",
            ])
    }

    @Test func trailersStandBehindTheLastChunk() throws {
        let seen = try pieces([
            .head([Self.ok]), .data("a"), .head([("grpc-status", "0"), ("grpc-message", "")], last: true),
        ])
        #expect(seen[2] == "0\r\ngrpc-status: 0\r\ngrpc-message: \r\n\r\n")
    }

    @Test func anAnswerOfTrailersOnlyHasNoBody() throws {
        let seen = try pieces([.head([Self.ok, ("grpc-status", "12")], last: true)])
        #expect(seen == ["HTTP/1.1 200 \r\ngrpc-status: 12\r\nContent-Length: 0\r\n\r\n"])
    }

    /// The last piece waits for the end of the stream, so that nothing said afterwards comes too late.
    @Test func aKnownLengthIsKeptAndItsEndIsTheStreams() throws {
        let head = [Self.ok, ("content-length", "5")]
        let seen = try pieces([.head(head), .data("abc"), .data("de"), .data("", last: true)])
        #expect(seen == ["HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\n", "abc", "", "de"])
        #expect(try pieces([.head(head), .data("abcde"), .head([("x-t", "1")], last: true)]).last == "abcde")
        #expect(malformed([.head(head), .data("abc", last: true)]))
        #expect(malformed([.head(head), .data("abcdef")]))
        #expect(malformed([.head(head), .data("abcde"), .data("f", last: true)]))
        #expect(malformed([.head(head), .head([("x-t", "1")], last: true)]))
        #expect(malformed([.head(head, last: true)]))
    }

    @Test(arguments: [(HTTPWire.Method.head, "200"), (.get, "204"), (.get, "304"), (.head, "404")])
    func whatHasNoBodyWaitsForTheEnd(_ method: HTTPWire.Method, _ status: String) throws {
        let head = "HTTP/1.1 \(status) \r\n\r\n"
        #expect(try pieces([.head([(":status", status)], last: true)], to: method) == [head])
        #expect(try pieces([.head([(":status", status)]), .data("", last: true)], to: method) == ["", head])
        #expect(malformed([.head([(":status", status)]), .data("x")], to: method))
    }

    @Test func aLengthOfNothingIsNoChunk() throws {
        let head = [Self.ok, ("content-length", "0")]
        #expect(
            try pieces([.head(head), .data("", last: true)]) == ["", "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n"])
        #expect(malformed([.head(head), .data("x")]))
    }

    @Test func interimHeadsComeBeforeTheFinalOne() throws {
        let seen = try pieces([.head([(":status", "103"), ("link", "a")]), .head([Self.ok], last: true)])
        #expect(seen[0] == "HTTP/1.1 103 \r\nlink: a\r\n\r\n")
        #expect(malformed([.head([(":status", "103")], last: true)]))
        #expect(malformed([.head([(":status", "101")])]))
        #expect(malformed([.head([(":status", "103")]), .data("x")]))
    }

    @Test(arguments: [
        [("x", "1")], [], [("x", "1"), (":status", "200")], [(":status", "200"), (":status", "200")],
        [(":status", "20")], [(":status", "2000")], [(":status", "+20")], [(":status", " 20")], [(":status", "099")],
        [(":status", "")], [(":status", "200"), (":path", "/")], [(":status", "200"), ("X", "1")],
        [(":status", "200"), ("", "1")], [(":status", "200"), ("a b", "1")], [(":status", "200"), ("a:", "1")],
        [(":status", "200"), ("a\r\nb", "1")], [(":status", "200"), ("a", "1\r\nb: 2")],
        [(":status", "200"), ("a", "1\n")], [(":status", "200"), ("a", "1\r")], [(":status", "200"), ("a", "\0")],
        [(":status", "200"), ("a", "\u{7f}")], [(":status", "200"), ("a", " b")], [(":status", "200"), ("a", "b\t")],
        [(":status", "200"), ("\u{e4}", "b")], [(":status", "200"), ("connection", "close")],
        [(":status", "200"), ("keep-alive", "a")], [(":status", "200"), ("proxy-connection", "a")],
        [(":status", "200"), ("transfer-encoding", "chunked")], [(":status", "200"), ("upgrade", "a")],
        [(":status", "200"), ("content-length", "1"), ("content-length", "1")],
        [(":status", "200"), ("content-length", "-1")], [(":status", "200"), ("content-length", "1, 1")],
        [(":status", "200"), ("content-length", "")], [(":status", "200"), ("content-length", "9999999999999999999")],
    ])
    func whatIsMalformedNeverBecomesAnAnswer(_ fields: [(String, String)]) {
        #expect(malformed([.head(fields)]))
        if fields.first?.0 == ":status", fields.count > 1, !fields.contains(where: { $0.0 == "content-length" }) {
            #expect(malformed([.head([Self.ok]), .head(Array(fields.dropFirst()), last: true)]))
        }
    }

    @Test func nothingComesBehindTheEnd() {
        #expect(malformed([.data("x")]))
        #expect(malformed([.head([Self.ok], last: true), .data("x")]))
        #expect(malformed([.head([Self.ok], last: true), .head([Self.ok])]))
        #expect(malformed([.head([Self.ok]), .head([("x", "1")], last: false)]))
    }

    /// Whatever fields there are: what comes out is one head that the parser reads, or nothing.
    @Test func randomFieldsAreOneHeadOrNone() throws {
        var random = Seeded(state: 9_113)
        let letters: [Unicode.Scalar] = ["a", "z", "-", ":", " ", "\r", "\n", "\0", "A", "1", "\t", "\u{e4}", ",", ";"]
        for _ in 0..<3_000 {
            func text(_ count: Int) -> String {
                var text = String.UnicodeScalarView()
                for _ in 0..<count { text.append(letters.randomElement(using: &random) ?? "a") }
                return String(text)
            }
            var fields = [(":status", "200")]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                fields.append((text(.random(in: 0...3, using: &random)), text(.random(in: 0...6, using: &random))))
            }
            guard let seen = try? pieces([.head(fields, last: true)]).joined() else { continue }
            var head = ResponseHead()
            var parser = ResponseParser()
            var bytes = Array(seen.utf8)
            let result = bytes.withUnsafeMutableBytes {
                parser.parse(UnsafeRawBufferPointer($0), requestMethod: .get, into: &head)
            }
            #expect(result == .complete && head.headLength == bytes.count && head.fields.count == fields.count)
        }
    }
}
