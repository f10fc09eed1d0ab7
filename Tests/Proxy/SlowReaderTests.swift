import Core
import Glibc
import NIOPosix
import Testing

@testable import Proxy

/// Clients that take an answer slowly: those who do are served, and those who do not are not waited for.
@Suite(.serialized) struct SlowReaderTests {
    private func look(
        _ reader: inout SlowReader, _ arrived: UInt64, silence: Int64 = 0, at now: Int64
    ) -> Bool {
        reader.isAtIt(.init(arrived: arrived, silence: silence), at: now, patience: 60_000, rate: 240)
    }

    @Test func whoIsSilentIsGone() {
        var reader = SlowReader()
        let late = look(&reader, 1_000_000, silence: 60_000, at: 60_000)
        #expect(!late)
        var other = SlowReader()
        let early = look(&other, 1_000_000, silence: 59_999, at: 60_000)
        #expect(early)
    }

    @Test func fromTheSecondLookOnThereIsARate() {
        var reader = SlowReader()
        let first = look(&reader, 5_000, at: 60_000)
        let enough = look(&reader, 5_000 + 240 * 60, at: 120_000)
        let tooLittle = look(&reader, 5_000 + 240 * 60 + 240 * 60 - 1, at: 180_000)
        #expect(first && enough && !tooLittle)
        var still = SlowReader()
        _ = look(&still, 5_000, at: 60_000)
        let nothing = look(&still, 5_000, at: 60_000)
        #expect(!nothing)
    }

    private static let size = 24 << 20

    private func origin() -> Origin {
        Origin { connection, _ in
            _ = try Origin.readRequest(connection)
            connection.writeNow("HTTP/1.1 200 OK\r\nContent-Length: \(Self.size)\r\n\r\n")
            connection.writeNow([UInt8](repeating: 0x78, count: Self.size))
        }
    }

    @Test func aSteadyReaderGetsTheWholeAnswer() async throws {
        let harness = try await Harness(origin: origin()) { $0.limits.bodyTimeout = .milliseconds(1000) }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/public/x", ["Connection: close"]))
            let count = try await NIOThreadPool.singleton.runIfActive {
                let began = ContinuousClock.now
                var count = 0
                while true {
                    let piece = try client.readNow(16_384)
                    if piece.isEmpty { return count }
                    count += piece.count
                    // Too slow for the kernel to ask for more before the time is over, and steady whatever else is going on.
                    let due = began + .microseconds(count * 10 / 8)
                    while ContinuousClock.now < due, ContinuousClock.now - began < .seconds(6) { usleep(5_000) }
                }
            }
            #expect(count > Self.size)
        }
    }

    @Test func whoTakesNothingIsCut() async throws {
        let harness = try await Harness(origin: origin()) { $0.limits.bodyTimeout = .milliseconds(300) }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            try await client.write(Harness.request("GET", "/public/x"))
            let deadline = ContinuousClock.now + .seconds(60)
            while true {
                let monitor = try RawClient(port: try #require(harness.server.monitorAddress?.port))
                try await monitor.write("GET /metrics HTTP/1.1\r\nHost: monitor\r\n\r\n")
                if try await monitor.readToEnd().contains("gatehouse_connections 0\n"), harness.origin.connections == 1
                {
                    break
                }
                try #require(ContinuousClock.now < deadline)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}
