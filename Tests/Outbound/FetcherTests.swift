import Core
import Testing

@testable import Outbound

@Suite struct FetcherTests {
    @Test(arguments: [
        "http://example.com/jwks", "ftp://localhost/x", "file:///etc/passwd", "https://user:secret@example.com/",
        "jwks",
        "http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "https://exa mple.com/", "https://", "",
        "gopher://127.0.0.1/", "https://example.com/\r\nX: y",
    ])
    func lesson67_onlyHTTPSOrLoopback(url: String) {
        #expect(throws: FetchError.self) { try Fetcher.server(of: url) }
    }

    @Test(arguments: [
        "https://idp.example.com/jwks", "http://localhost:1/x", "http://127.0.0.1:80/", "http://[::1]:9/x",
    ])
    func accepts(url: String) throws {
        _ = try Fetcher.server(of: url)
    }

    @Test func aDeadPeerIsATypedError() async throws {
        let fetcher = Fetcher(threads: 1, capacity: 1)
        defer { fetcher.stop() }
        let listener = try LoopbackListener(answer: nil)
        let port = listener.port
        listener.close()
        let error = await #expect(throws: FetchError.self) {
            _ = try await fetcher.fetch(FetchRequest(url: "http://127.0.0.1:\(port)/"))
        }
        #expect(error?.code == .notConnected && error?.wasSent == false)
    }

    @Test func readsHeadersAndBody() async throws {
        let listener = try LoopbackListener(
            answer: "HTTP/1.1 200 OK\r\nCache-Control:  max-age=60 \r\nContent-Length: 2\r\n\r\nhi")
        defer { listener.close() }
        let fetcher = Fetcher(threads: 1, capacity: 1)
        let response = try await fetcher.fetch(FetchRequest(url: "http://127.0.0.1:\(listener.port)/"))
        #expect(response.status == 200)
        #expect(response.first("cache-control") == "max-age=60")
        #expect(response.body == Array("hi".utf8))
        fetcher.stop()
    }

    @Test func lesson59_aLongAnswerIsRefused() async throws {
        let listener = try LoopbackListener(answer: "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 5000))
        defer { listener.close() }
        let fetcher = Fetcher(threads: 1, capacity: 1)
        let error = await #expect(throws: FetchError.self) {
            _ = try await fetcher.fetch(
                FetchRequest(url: "http://127.0.0.1:\(listener.port)/", maximumBodyBytes: 4999))
        }
        #expect(error?.code == .tooLarge && error?.wasSent == true)
        fetcher.stop()
    }

    @Test func redirectsAreNotFollowed() async throws {
        let listener = try LoopbackListener(
            answer: "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        defer { listener.close() }
        let fetcher = Fetcher(threads: 1, capacity: 1)
        let response = try await fetcher.fetch(FetchRequest(url: "http://127.0.0.1:\(listener.port)/"))
        #expect(response.status == 302)
        fetcher.stop()
    }

    @Test func aSilentPeerTimesOut() async throws {
        let listener = try LoopbackListener(answer: nil)
        defer { listener.close() }
        let fetcher = Fetcher(threads: 1, capacity: 1)
        let error = await #expect(throws: FetchError.self) {
            _ = try await fetcher.fetch(
                FetchRequest(url: "http://127.0.0.1:\(listener.port)/", timeout: .milliseconds(200)))
        }
        #expect(error?.code == .timedOut && error?.wasSent == true)
        fetcher.stop()
    }
}
