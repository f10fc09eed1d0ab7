import HTTPWire
import NIOCore
import NIOHPACK
import NIOHTTP2
import Testing

@testable import Proxy

/// Answers in the pieces in which they may come, and the frames that they become.
struct AnswerFramesTests {
    /// `H` a head with its status, `D` data, `!` END_STREAM.
    private func frames(_ pieces: [String], isHead: Bool = false) throws -> [String] {
        var answer = AnswerFrames()
        answer.isHead = isHead
        var head = ResponseHead()
        var seen: [String] = []
        for piece in pieces {
            try answer.take(ByteBuffer(string: piece), head: &head) { frame in
                switch frame {
                case .headers(let frame):
                    let fields = frame.headers.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
                    seen.append("H \(fields)" + (frame.endStream ? "!" : ""))
                case .data(let frame):
                    guard case .byteBuffer(let buffer) = frame.data else { return }
                    seen.append("D \(String(buffer: buffer))" + (frame.endStream ? "!" : ""))
                case .priority, .rstStream, .settings, .pushPromise, .ping, .goAway, .windowUpdate,
                    .alternativeService, .origin:
                    seen.append("?")
                }
            }
        }
        return seen
    }

    @Test func aLength() throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\nConnection: close\r\n\r\n"
        #expect(try frames([head + "hello"]) == ["H :status=200,content-length=5,x-a=b", "D hello!"])
        #expect(try frames([head, "he", "llo"]) == ["H :status=200,content-length=5,x-a=b", "D he", "D llo!"])
        #expect(try frames([head], isHead: true) == ["H :status=200,content-length=5,x-a=b!"])
    }

    @Test func noBody() throws {
        #expect(try frames(["HTTP/1.1 204 No Content\r\n\r\n"]) == ["H :status=204!"])
        #expect(try frames(["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]) == ["H :status=200,content-length=0!"])
    }

    @Test func chunks() throws {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(try frames([head + "3\r\nabc\r\n0\r\n\r\n"]) == ["H :status=200", "D abc!"])
        #expect(try frames([head, "3\r\nabc\r\n", "0\r\n\r\n"]) == ["H :status=200", "D abc", "D !"])
        let trailers = try frames([head + "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"])
        #expect(trailers == ["H :status=200", "D abc", "H x-sum=1!"])
    }

    @Test func byteByByte() throws {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"
        let seen = try frames(text.map(String.init).joinedLineEnds)
        #expect(seen == ["H :status=200", "D a", "D b", "D c", "D d", "D e", "H x-sum=1!"])
    }

    @Test func interimHeads() throws {
        let text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        #expect(try frames([text]) == ["H :status=103,link=x", "H :status=200,content-length=0!"])
    }

    @Test func whatIsNoAnswer() {
        for text in [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "nonsense\r\n\r\n",
        ] {
            #expect(throws: AnswerFrames.Unreadable.self) { try frames([text]) }
        }
    }
}

extension [String] {
    /// Characters to bytes: CR LF is one character.
    fileprivate var joinedLineEnds: [String] {
        flatMap { $0.utf8.map { String(decoding: [$0], as: UTF8.self) } }
    }
}
