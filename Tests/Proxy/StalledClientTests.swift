import Core
import Glibc
import Testing

@testable import Proxy

/// Clients that take a part of the last answer of their connection, and then nothing more.
@Suite(.serialized)
struct StalledClientTests {
    private static let size = 1 << 20
    private static var path: String { "/tmp/gatehouse-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock" }

    private struct Large: LocalResponder {
        func respond(to request: LocalRequest) async -> LocalResponse? {
            let size = Int(request.path.dropFirst("/.auth/".count)) ?? 0
            return LocalResponse(status: 200, body: [UInt8](repeating: 0x78, count: size))
        }
    }

    private func connections(_ harness: Harness) async throws -> Int {
        let monitor = try RawClient(port: try #require(harness.server.monitorAddress?.port))
        try await monitor.write("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        let line = try await monitor.readToEnd().split(separator: "\n").first {
            $0.hasPrefix("gatehouse_connections ")
        }
        return line.flatMap { Int($0.dropFirst("gatehouse_connections ".count).filter(\.isNumber)) } ?? -1
    }

    /// The rest of an answer has its time, however little of it waits here. How much the kernel takes and when is its own
    /// affair, so there are many sizes and many rests: of some little is left.
    @Test func theRestOfAnAnswerIsNotKeptForEver() async throws {
        let path = Self.path
        let harness = try await Harness(responders: [Large()]) {
            $0.listeners = [ListenerDescription(address: .unix(path: path, mode: 0o600, group: nil))]
            $0.limits.halfClosedTimeout = .seconds(2)
            $0.limits.bodyTimeout = .seconds(2)
        }
        try await withHarness(harness) { harness in
            var clients: [RawClient] = []
            for step in 0..<78 {
                let client = try RawClient(path: path)
                let size = Self.size + step / 6 * (16 << 10)
                let left = (step % 6 + 2) * (32 << 10)
                try await client.write("GET /.auth/\(size) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                var missing = size - left
                while missing > 0 {
                    let some = try await client.read(missing)
                    try #require(!some.isEmpty)
                    missing -= some.count
                }
                clients.append(client)
            }
            let deadline = ContinuousClock.now + .seconds(30)
            while try await connections(harness) > 0 {
                try #require(ContinuousClock.now < deadline)
                try await Task.sleep(for: .milliseconds(20))
            }
            withExtendedLifetime(clients) {}
        }
    }

    /// Reads `size` bytes, a little at a time, on a thread of its own.
    ///
    /// - Returns: how many there were before the end.
    private func readSlowly(_ client: RawClient, _ size: Int) async -> Int {
        await withCheckedContinuation { done in
            NamedThread.start(name: "slow") {
                var count = 0
                while count < size, let some = try? client.readNow(24 << 10), !some.isEmpty {
                    count += some.count
                    usleep(80_000)
                }
                done.resume(returning: count)
            }
        }
    }

    /// A slow line is no stalled one: whoever takes some of the answer all the time gets all of it, whether the connection
    /// stays behind it or only waits for the rest to be taken.
    @Test(arguments: ["keep-alive", "close"])
    func whoTakesAnAnswerSlowlyGetsAllOfIt(_ connection: String) async throws {
        let path = Self.path
        let harness = try await Harness(responders: [Large()]) {
            $0.listeners = [ListenerDescription(address: .unix(path: path, mode: 0o600, group: nil))]
            // Less than all of it takes, and more than the kernel's part, which is all that we see of it.
            $0.limits.halfClosedTimeout = .milliseconds(1500)
            $0.limits.bodyTimeout = .milliseconds(1500)
            $0.limits.minimumBodyRate = 1000
        }
        try await withHarness(harness) { harness in
            let client = try RawClient(path: path)
            try await client.write(
                "GET /.auth/\(Self.size) HTTP/1.1\r\nHost: x\r\nConnection: \(connection)\r\n\r\n")
            let head = try await client.read(until: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 200 "))
            let count = await readSlowly(client, Self.size)
            #expect(count == Self.size)
        }
    }
}
