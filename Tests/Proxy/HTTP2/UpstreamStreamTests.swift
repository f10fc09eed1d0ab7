import HTTPWire
import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP2
import Testing

@testable import Proxy

/// The bottom of one stream in a channel of its own: HTTP/1.1 bytes above, frames below.
struct UpstreamStreamTests {
    /// Keeps what comes out at the top.
    private final class Top: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        var bytes = ""
        var failures: [UpstreamStreamFailure] = []
        var ends = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += String(buffer: unwrapInboundIn(data))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            if let failure = error as? UpstreamStreamFailure { failures.append(failure) }
        }

        func channelInactive(context: ChannelHandlerContext) { ends += 1 }
    }

    private typealias Payload = HTTP2Frame.FramePayload

    private func withStream(_ body: (EmbeddedChannel, Top) throws -> Void) throws {
        let top = Top()
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers(UpstreamStream(connection: nil, scheme: "http"), top)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try body(channel, top)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    private func write(_ channel: EmbeddedChannel, _ text: String) throws {
        try channel.writeOutbound(ByteBuffer(string: text))
    }

    /// What went down, each frame as a word.
    private func frames(_ channel: EmbeddedChannel) throws -> [String] {
        var seen: [String] = []
        while let payload = try channel.readOutbound(as: Payload.self) {
            switch payload {
            case .headers(let headers):
                seen.append(
                    headers.headers.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
                        + (headers.endStream ? " end" : ""))
            case .data(let data):
                guard case .byteBuffer(let bytes) = data.data else { break }
                seen.append("“\(String(buffer: bytes))”" + (data.endStream ? " end" : ""))
            default: seen.append("\(payload)")
            }
        }
        return seen
    }

    private func headers(_ fields: [(String, String)], last: Bool = false) -> Payload {
        .headers(.init(headers: HPACKHeaders(fields), endStream: last))
    }

    private func data(_ text: String, last: Bool = false) -> Payload {
        .data(.init(data: .byteBuffer(ByteBuffer(string: text)), endStream: last))
    }

    @Test func aRequestWithoutABodyIsOneFrame() throws {
        try withStream { channel, _ in
            try write(channel, "GET /a HTTP/1.1\r\nHost: app\r\n\r\n")
            let seen = try frames(channel)
            #expect(seen == [":method=GET :scheme=http :authority=app :path=/a te=trailers end"])
        }
    }

    @Test func aBodyOfKnownLengthEndsWithItsLastByte() throws {
        try withStream { channel, _ in
            try write(channel, "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\n\r\nab")
            var seen = try frames(channel)
            #expect(seen.dropFirst() == ["“ab”"])
            try write(channel, "cde")
            seen = try frames(channel)
            #expect(seen == ["“cde” end"])
        }
    }

    @Test func chunksComeInAnyPieces() throws {
        let text = "POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n"
        let body = "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\n\r\n"
        for size in 1...body.count {
            try withStream { channel, top in
                try write(channel, text)
                _ = try frames(channel)
                var rest = Substring(body)
                while !rest.isEmpty {
                    try write(channel, String(rest.prefix(size)))
                    rest = rest.dropFirst(size)
                }
                let seen = try frames(channel)
                #expect(seen.last == "x-sum=7 end", "in pieces of \(size)")
                let data = seen.dropLast().joined().replacing("“", with: "").replacing("”", with: "")
                #expect(data == "abcde", "in pieces of \(size)")
                #expect(top.failures.isEmpty)
            }
        }
    }

    @Test func whatIsNoRequestFails() throws {
        for text in ["GET / HTTP/1.1\r\nHost\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"] {
            try withStream { channel, top in
                try write(channel, text)
                #expect(try frames(channel).isEmpty)
                #expect(top.failures.map(\.kind) == [.malformed])
            }
        }
        try withStream { channel, top in
            try write(channel, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
            try write(channel, "more")
            #expect(top.failures.map(\.kind) == [.malformed])
        }
    }

    @Test func anAnswerGoesUpWhenTheReadIsComplete() throws {
        try withStream { channel, top in
            try write(channel, "GET / HTTP/1.1\r\nHost: app\r\n\r\n")
            try channel.writeInbound(headers([(":status", "200"), ("content-length", "3")]))
            try channel.writeInbound(data("abc", last: true))
            #expect(top.bytes.hasPrefix("HTTP/1.1 200 \r\ncontent-length: 3\r\n"))
            #expect(top.bytes.hasSuffix("\r\n\r\nabc"))
        }
    }

    @Test(arguments: [
        [(":status", "abc")], [("x", "y")], [(":status", "200"), ("a\r\nb", "c")],
        [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
    ])
    func nonsenseFailsOnce(_ fields: [(String, String)]) throws {
        try withStream { channel, top in
            try write(channel, "GET / HTTP/1.1\r\nHost: app\r\n\r\n")
            try channel.writeInbound(headers(fields))
            try channel.writeInbound(headers(fields))
            try channel.writeInbound(data("x"))
            #expect(top.failures.map(\.kind) == [.malformed])
            #expect(top.failures.allSatisfy { !$0.isUnsent })
            #expect(top.bytes.isEmpty)
        }
    }

    @Test func aBodyLongerThanItSaysFails() throws {
        try withStream { channel, top in
            try write(channel, "GET / HTTP/1.1\r\nHost: app\r\n\r\n")
            try channel.writeInbound(headers([(":status", "200"), ("content-length", "1")]))
            try channel.writeInbound(data("ab", last: true))
            #expect(top.failures.map(\.kind) == [.malformed])
        }
    }

    @Test func onlyARefusedStreamWasNotBegun() throws {
        for (code, isUnsent) in [(HTTP2ErrorCode.refusedStream, true), (.cancel, false), (.internalError, false)] {
            try withStream { channel, top in
                try write(channel, "GET / HTTP/1.1\r\nHost: app\r\n\r\n")
                channel.pipeline.fireErrorCaught(NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: code))
                #expect(top.failures.map(\.kind) == [.reset])
                #expect(top.failures.map(\.isUnsent) == [isUnsent])
            }
        }
    }

    @Test func whatCameBeforeTheEndGoesUpFirst() throws {
        try withStream { channel, top in
            try write(channel, "GET / HTTP/1.1\r\nHost: app\r\n\r\n")
            channel.pipeline.fireChannelRead(headers([(":status", "200")]))
            #expect(top.bytes.isEmpty)
            channel.pipeline.fireChannelInactive()
            #expect(top.bytes.hasPrefix("HTTP/1.1 200"))
            #expect(top.ends == 1)
        }
    }
}
