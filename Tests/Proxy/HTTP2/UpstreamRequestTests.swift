import HTTPWire
import NIOCore
import NIOHPACK
import Testing

@testable import Proxy

/// The head that we write, as a header block.
struct UpstreamRequestTests {
    private func read(_ text: String) -> UpstreamRequestHead? {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { UpstreamRequestHead.read($0, scheme: "https") }
    }

    private func fields(_ headers: HPACKHeaders) -> [String] { headers.map { "\($0.name): \($0.value)" } }

    @Test func aHeadBecomesABlock() throws {
        let text =
            "POST /a%20b?c=%2f HTTP/1.1\r\nHost: app.example.com:8080\r\nAccept:*/*\r\nX-Mixed:  A b \r\n"
            + "Connection: Upgrade\r\nKeep-Alive: 1\r\nTE: gzip\r\nUpgrade: x\r\nProxy-Connection: a\r\n"
            + "Transfer-Encoding: chunked\r\nCookie: a=1\r\nX-Request-Id: r\r\n\r\nrest"
        let head = try #require(read(text))
        #expect(
            fields(head.headers) == [
                ":method: POST", ":scheme: https", ":authority: app.example.com:8080", ":path: /a%20b?c=%2f",
                "accept: */*", "x-mixed: A b", "cookie: a=1", "x-request-id: r", "te: trailers",
            ])
        #expect(head.framing == .chunked && head.method == .post && head.length == text.utf8.count - 4)
    }

    @Test func whatIsSecretGoesIntoNoTable() throws {
        let head = try #require(
            read(
                "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nCookie: y\r\nGatehouse-Assertion: z\r\n"
                    + "Accept: w\r\n\r\n"))
        let indexing = Dictionary(head.headers.map { ($0.name, "\($0.indexable)") }, uniquingKeysWith: { $1 })
        for name in ["authorization", "cookie", "gatehouse-assertion"] {
            #expect(indexing[name] == "\(HPACKIndexing.neverIndexed)")
        }
        #expect(indexing["accept"] == "\(HPACKIndexing.indexable)")
    }

    @Test func lengthsAndNoBodyAreKnown() throws {
        #expect(try #require(read("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).framing == .none)
        let head = try #require(read("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n"))
        #expect(head.framing == .length(17) && fields(head.headers).contains("content-length: 17"))
    }

    @Test(arguments: [
        "", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n", "GET\r\n\r\n", "GET \r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
    ])
    func whatIsNoHeadOfOursIsNone(_ text: String) {
        #expect(read(text) == nil)
    }
}
