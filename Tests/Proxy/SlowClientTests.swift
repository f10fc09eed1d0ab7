import Core
import Testing

@testable import Proxy

/// Clients that send, but hardly.
@Suite struct SlowClientTests {
    private func patient(_ change: @escaping (inout Limits) -> Void) async throws -> Harness {
        try await Harness { change(&$0.limits) }
    }

    /// Writes `piece` every 40 ms until an answer has come or `count` pieces are out.
    private func dribble(_ client: RawClient, _ piece: String, count: Int) async {
        for _ in 0..<count {
            do { try await client.write(piece) } catch { return }
            try? await Task.sleep(for: .milliseconds(40))
        }
    }

    @Test func aBodyOfAKnownLengthHasToComeAtSomeRate() async throws {
        let harness = try await patient {
            $0.bodyGrace = .milliseconds(400)
            $0.minimumBodyRate = 1_000_000
        }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            try await client.write(
                Harness.request("POST", "/public/a", ["Content-Length: 100000"]))
            let writing = Task { await dribble(client, "x", count: 1000) }
            let answer = try await client.readAnswer()
            writing.cancel()
            #expect(answer.status == 408)
        }
    }

    @Test func aBodyThatIsFastEnoughMayTakeItsTime() async throws {
        let harness = try await patient {
            $0.bodyGrace = .milliseconds(100)
            $0.minimumBodyRate = 1
        }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            let piece = String(repeating: "x", count: 1000)
            // The first piece comes with the head: from then on the body is far ahead of its rate.
            try await client.write(Harness.request("POST", "/public/a", ["Content-Length: 20000"]) + piece)
            await dribble(client, piece, count: 19)
            let answer = try await client.readAnswer()
            #expect(answer.status == 200, "\(answer)")
        }
    }

    @Test func aStreamOfChunksHasTheTimeOutAlone() async throws {
        let harness = try await patient {
            $0.bodyGrace = .milliseconds(100)
            $0.minimumBodyRate = 1_000_000
        }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("POST", "/public/a", ["Transfer-Encoding: chunked"]))
            await dribble(client, "1\r\nx\r\n", count: 20)
            try await client.write("0\r\n\r\n")
            let answer = try await client.readAnswer()
            #expect(answer.status == 200, "\(answer)")
        }
    }

    /// Our own pages take no streams: a body for them has to come at some rate whatever its framing.
    @Test(arguments: ["Content-Length: 100000", "Content-Length: 60000", "Transfer-Encoding: chunked"])
    func aBodyForOurselvesHasToComeAtSomeRate(_ framing: String) async throws {
        let harness = try await patient {
            $0.bodyGrace = .milliseconds(400)
            $0.minimumBodyRate = 1_000_000
        }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("POST", "/.auth/x", [framing]))
            let piece = framing.hasPrefix("T") ? "1\r\nx\r\n" : "x"
            let writing = Task { await dribble(client, piece, count: 1000) }
            let answer = try await client.readAnswer()
            writing.cancel()
            #expect(answer.status == (framing.hasSuffix("100000") ? 413 : 408))
        }
    }

    @Test func aByteNowAndThenDoesNotExtendTheTimeForAHead() async throws {
        let harness = try await patient { $0.headTimeout = .milliseconds(400) }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            try await client.write("GET /public/a HTTP/1.1\r\nHost: wiki.example.com\r\nX: ")
            let writing = Task { await dribble(client, "a", count: 200) }
            #expect(try await client.readToEnd().isEmpty)
            writing.cancel()
        }
    }
}
