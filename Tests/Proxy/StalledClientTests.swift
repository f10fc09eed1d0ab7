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
            let clients = await onThread { (0..<78).compactMap { Self.stalled(path, step: $0) } }
            // On a busy machine an answer may be late for one or the other.
            #expect(clients.count > 60)
            let deadline = ContinuousClock.now + .seconds(60)
            while try await connections(harness) > 0 {
                try #require(ContinuousClock.now < deadline)
                try await Task.sleep(for: .milliseconds(20))
            }
            withExtendedLifetime(clients) {}
        }
    }

    /// One that has taken all but a rest.
    private static func stalled(_ path: String, step: Int) -> RawClient? {
        let size = size + step / 6 * (16 << 10)
        let left = (step % 6 + 2) * (32 << 10)
        guard let client = try? RawClient(path: path) else { return nil }
        client.writeNow("GET /.auth/\(size) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        var missing = size - left
        while missing > 0 {
            guard let some = try? client.readNow(missing), !some.isEmpty else { return nil }
            missing -= some.count
        }
        return client
    }

    /// On a thread of its own: those that reads of other tests wait on may be busy for longer than a client has time.
    private func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { done in
            NamedThread.start(name: "client") { done.resume(returning: body()) }
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
            $0.limits.halfClosedTimeout = .seconds(2)
            $0.limits.bodyTimeout = .seconds(2)
            $0.limits.minimumBodyRate = 1000
        }
        try await withHarness(harness) { harness in
            let client = try RawClient(path: path)
            try await client.write(
                "GET /.auth/\(Self.size) HTTP/1.1\r\nHost: x\r\nConnection: \(connection)\r\n\r\n")
            let count = await onThread {
                var count = 0
                guard (try? client.readNow(until: "\r\n\r\n")) != nil else { return count }
                while count < Self.size, let some = try? client.readNow(24 << 10), !some.isEmpty {
                    count += some.count
                    usleep(80_000)
                }
                return count
            }
            #expect(count == Self.size)
        }
    }
}
