import NIOCore
import Testing

@testable import Proxy

struct FrameScanTests {
    private static let frames =
        FrameCase.header(3, 0, 1, 5) + [1, 2, 3] + FrameCase.header(0, 4, 1, 0) + FrameCase.header(2, 1, 0, 7) + [9, 9]
        + FrameCase.header(1, 9, 4, 7) + [9] + FrameCase.header(4, 0xfa, 0, 0x8000_0003) + [0, 0, 0, 0]

    private func headers(_ pieces: [[UInt8]], _ scan: inout FrameScan) -> [FrameScan.Header] {
        var seen: [FrameScan.Header] = []
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                _ = scan.scan(bytes) { header, _ in
                    seen.append(header)
                    return true
                }
            }
        }
        return seen
    }

    @Test func wholeAndByteByByte() {
        let expected = [
            FrameScan.Header(length: 3, kind: .data, flags: 1, stream: 5),
            FrameScan.Header(length: 0, kind: .settings, flags: 1, stream: 0),
            FrameScan.Header(length: 2, kind: .headers, flags: 0, stream: 7),
            FrameScan.Header(length: 1, kind: .continuation, flags: 4, stream: 7),
            FrameScan.Header(length: 4, kind: nil, flags: 0, stream: 3),
        ]
        var whole = FrameScan(skipping: 2)
        #expect(headers([[1, 2] + Self.frames], &whole) == expected)
        var bytes = FrameScan(skipping: 2)
        #expect(headers(([1, 2] + Self.frames).map { [$0] }, &bytes) == expected)
        #expect(!bytes.isWaiting && !whole.isWaiting)
    }

    @Test func whatIsIncomplete() {
        var scan = FrameScan()
        _ = headers([FrameCase.header(5, 0, 0, 1)], &scan)
        // DATA is used as it comes.
        #expect(!scan.isWaiting)
        scan = FrameScan()
        _ = headers([Array(FrameCase.header(0, 1, 0, 1).prefix(4))], &scan)
        #expect(scan.isWaiting)
        let number = scan.blockNumber
        _ = headers([Array(FrameCase.header(0, 1, 0, 1).dropFirst(4))], &scan)
        #expect(scan.isWaiting && scan.blockNumber == number)
        // The same block, however many frames it has.
        _ = headers([FrameCase.header(0, 9, 0, 1), FrameCase.header(0, 9, 0, 1)], &scan)
        #expect(scan.isWaiting && scan.blockNumber == number)
        _ = headers([FrameCase.header(0, 9, 4, 1)], &scan)
        #expect(!scan.isWaiting)
    }

    @Test func theFrameThatIsRefused() {
        var scan = FrameScan()
        let bytes = FrameCase.header(2, 4, 0, 0) + [0, 0] + FrameCase.header(0, 6, 0, 0)
        let position = bytes.withUnsafeBytes { scan.scan($0) { header, _ in header.kind != .ping } }
        #expect(position == 11)
    }
}

struct FloodGuardTests {
    private func header(_ kind: FrameScan.Kind?, flags: UInt8 = 0) -> FrameScan.Header {
        FrameScan.Header(length: 0, kind: kind, flags: flags, stream: 1)
    }

    /// How many of `kind` are taken at once.
    private func taken(_ kind: FrameScan.Kind?, _ flood: inout FloodGuard, now: Int64 = 0) -> Int64 {
        var count: Int64 = 0
        while count < 100_000, flood.received(header(kind), now: now) { count += 1 }
        return count
    }

    @Test func eachKindHasItsAllowance() {
        var flood = FloodGuard(now: 0)
        #expect(taken(.rstStream, &flood) == FloodGuard.resetBurst)
        #expect(taken(.settings, &flood) == FloodGuard.settingsBurst)
        #expect(taken(.ping, &flood) == FloodGuard.pingBurst)
        #expect(taken(.priority, &flood) == FloodGuard.hintBurst)
        #expect(taken(nil, &flood) == 0)
        #expect(taken(.windowUpdate, &flood) == FloodGuard.windowUpdateBurst)
        #expect(taken(.data, &flood) == Int64(FloodGuard.waitingDataLimit))
        // Acknowledgements are ours.
        #expect(flood.received(header(.ping, flags: 1), now: 0) == true)
        #expect(flood.received(header(.settings, flags: 1), now: 0) == true)
    }

    @Test func answersAndTimeGiveBack() {
        var flood = FloodGuard(now: 0)
        _ = taken(.rstStream, &flood)
        for _ in 0..<10 { #expect(flood.sent(header(.headers, flags: 1), isRefusal: false, now: 0) == true) }
        #expect(taken(.rstStream, &flood) == 10)
        #expect(taken(.rstStream, &flood, now: 2000) == 4)
        // Never more than at the beginning.
        #expect(taken(.rstStream, &flood, now: 1_000_000_000) == FloodGuard.resetBurst)
    }

    @Test func resetsThatWereProvokedCountToo() {
        var flood = FloodGuard(now: 0)
        for _ in 0..<FloodGuard.resetBurst {
            #expect(flood.sent(header(.rstStream), isRefusal: true, now: 0) == true)
        }
        #expect(flood.sent(header(.rstStream), isRefusal: true, now: 0) == false)
        #expect(flood.sent(header(.rstStream), isRefusal: false, now: 0) == true)
        #expect(flood.received(header(.rstStream), now: 0) == false)
    }

    @Test func dataThatIsTakenDoesNotWait() {
        var flood = FloodGuard(now: 0)
        for _ in 0..<100_000 {
            #expect(flood.received(header(.data), now: 0) == true)
            flood.delivered()
        }
        _ = taken(.data, &flood)
        flood.becameIdle()
        #expect(flood.received(header(.data), now: 0) == true)
    }
}

struct ConnectionLifeTests {
    @Test func aDrain() {
        var life = ConnectionLife()
        life.began()
        life.streamOpened()
        #expect(life.stop() == .announce)
        #expect(life.stop() == .none)
        // On its way before the client knew.
        life.streamOpened()
        #expect(life.streamEnded() == .none)
        #expect(life.answered() == .sayLast)
        #expect(life.answered() == .none)
        #expect(life.streamEnded() == .close)
        #expect(life.state == .closed)
    }

    @Test func aDrainWithoutStreams() {
        var life = ConnectionLife()
        #expect(life.stop() == .announce)
        #expect(life.answered() == .sayLastAndClose)
    }

    @Test func idling() {
        var life = ConnectionLife()
        life.began()
        life.streamOpened()
        #expect(life.idled() == .none)
        #expect(life.streamEnded() == .none)
        #expect(life.idled() == .sayLastAndClose)
    }

    @Test func theClientsLastByte() {
        var life = ConnectionLife()
        life.began()
        #expect(life.inputEnded() == .close)
        life = ConnectionLife()
        life.streamOpened()
        #expect(life.inputEnded() == .sayLast)
        #expect(life.streamEnded() == .close)
        life = ConnectionLife()
        _ = life.failed()
        #expect(life.inputEnded() == .close)
    }

    @Test func failing() {
        var life = ConnectionLife()
        life.streamOpened()
        #expect(life.failed() == .sayGoodbye)
        #expect(life.failed() == .none)
        #expect(life.stop() == .none)
        #expect(life.idled() == .none)
        #expect(life.streamEnded() == .none)
    }
}

/// Timeouts and limits of a whole connection.
struct ConnectionTimeTests {
    private static let start = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + FrameCase.header(0, 4, 0, 0)

    private func end(of bytes: [UInt8], _ change: @escaping (inout Configuration) -> Void) async throws -> FrameReader {
        var reader = FrameReader()
        try await withHarness(try await Harness(change: change)) { harness in
            let client = try harness.connect()
            client.writeNow(bytes)
            while !reader.isClosed { try reader.take(try await client.read()) }
        }
        return reader
    }

    @Test func anIdleConnectionEndsWithGoaway() async throws {
        let reader = try await end(of: Self.start) { $0.limits.keepAliveTimeout = .milliseconds(50) }
        #expect(reader.seen.contains(.connectionError("NO_ERROR")))
    }

    @Test func aClientWithoutSettingsIsCut() async throws {
        let reader = try await end(of: Array(Self.start.prefix(24))) { $0.limits.handshakeTimeout = .milliseconds(50) }
        #expect(reader.isClosed)
    }

    @Test func aHeaderBlockHasToEnd() async throws {
        let block = FrameCase.header(1, 1, 1, 1) + [0x82]
        let reader = try await end(of: Self.start + block) { $0.limits.headTimeout = .milliseconds(50) }
        #expect(reader.seen.contains(.connectionError("ENHANCE_YOUR_CALM")))
    }

    @Test func whoEndsItsSideStillGetsItsAnswer() async throws {
        let frames = try FrameCase(
            """
            > HEADERS 1 END_STREAM END_HEADERS
              :method: GET
              :scheme: http
              :authority: wiki.example.com
              :path: /public/x

            = status 200 on 1
            """)
        guard case .send(let request)? = frames.steps.first else { return }
        var reader = FrameReader()
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            client.writeNow(Self.start + request)
            client.finishWriting()
            while !reader.isClosed { try reader.take(try await client.read()) }
        }
        #expect(reader.seen.contains(.status("200", on: 1)) && reader.seen.contains(.end(1)))
    }

    @Test func aFrameHasToEnd() async throws {
        let reader = try await end(of: Self.start + [0, 0, 8, 6]) { $0.limits.headTimeout = .milliseconds(50) }
        #expect(reader.seen.contains(.connectionError("ENHANCE_YOUR_CALM")))
    }
}
