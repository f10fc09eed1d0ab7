import Accounts
import Core
import Logging
import Testing

@testable import Outbound

/// The breach check over the wire, by the fetcher that the server uses.
@Suite struct BreachCheckOverHTTPTests {
    private static let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func isBreached(_ answer: String?, closed: Bool = false) async throws -> Bool {
        let listener = try LoopbackListener(answer: answer)
        if closed { listener.close() }
        let fetcher = Fetcher(threads: 1, capacity: 1)
        let check = BreachCheck("http://127.0.0.1:\(listener.port)/range", fetcher: fetcher, log: Self.log)
        let result = await check.isBreached(SecretBytes(copying: Array("password".utf8)))
        fetcher.stop()
        if !closed { listener.close() }
        return result
    }

    @Test func listedAndNot() async throws {
        let list = "003D68EB55068C33ACE09247EE4C639306B:3\r\n1E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824"
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(list.utf8.count)\r\n\r\n"
        #expect(try await isBreached(head + list))
        #expect(try await !isBreached("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    }

    @Test func whoeverAnswersWronglyOrNotAtAllKeepsNobodyOut() async throws {
        #expect(try await !isBreached("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
        let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        #expect(try await !isBreached(elsewhere))
        #expect(try await !isBreached("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 100)))
        #expect(try await !isBreached(nil, closed: true))
    }
}
