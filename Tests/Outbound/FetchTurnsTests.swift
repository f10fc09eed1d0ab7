import Core
import Testing

@testable import Outbound

@Suite struct FetchTurnsTests {
    @Test func oneServerHasItsShareAndNoMore() {
        var turns = FetchTurns<Int>(perServer: 2, waitingPerServer: 2, capacity: 3)
        #expect(turns.arrive(1, at: "a") == .begins)
        #expect(turns.arrive(2, at: "a") == .begins)
        #expect(turns.arrive(3, at: "a") == .waits)
        #expect(turns.arrive(4, at: "a") == .waits)
        #expect(turns.arrive(5, at: "a") == .refused)
        // Another one begins at once, and finds room to wait.
        #expect(turns.arrive(6, at: "b") == .begins)
        #expect(turns.arrive(7, at: "b") == .begins)
        #expect(turns.arrive(8, at: "b") == .waits)
        #expect(turns.arrive(9, at: "b") == .refused)
    }

    @Test func whoWaitsComesInTheOrderOfArrival() {
        var turns = FetchTurns<Int>(perServer: 1, waitingPerServer: 9, capacity: 9)
        for job in 1...4 { #expect(turns.arrive(job, at: "a") == (job == 1 ? .begins : .waits)) }
        let next = (0..<4).map { _ in turns.leave("a") }
        #expect(next == [2, 3, 4, nil])
        #expect(turns.serverCount == 0, "a server of which nothing is left takes no room")
        #expect(turns.leave("a") == nil)
        #expect(turns.arrive(5, at: "a") == .begins)
    }
}

@Suite struct FetcherTurnsTests {
    private func ask(_ listener: LoopbackListener, _ timeout: Duration) -> FetchRequest {
        FetchRequest(url: "http://127.0.0.1:\(listener.port)/", timeout: timeout)
    }

    @Test func aServerThatHangsLeavesThreadsForTheOthers() async throws {
        let silent = try LoopbackListener(answer: nil)
        let good = try LoopbackListener(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        let fetcher = Fetcher(threads: 2, perServer: 1)
        defer {
            good.close()
            fetcher.stop()
        }
        try await withThrowingTaskGroup(of: FetchError.Code?.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let error = await #expect(throws: FetchError.self) {
                        try await fetcher.fetch(self.ask(silent, .seconds(60)))
                    }
                    return error?.code
                }
            }
            while fetcher.waitingCount < 7 { await Task.yield() }
            #expect(try await fetcher.fetch(ask(good, .seconds(20))).status == 200)
            // Resets those that wait in it, and refuses those that come.
            silent.close()
            for try await code in group { #expect(code != nil && code != .timedOut) }
        }
    }

    @Test func nobodyWaitsForATurnForEver() async throws {
        let silent = try LoopbackListener(answer: nil)
        let fetcher = Fetcher(threads: 1, patience: .zero)
        defer { fetcher.stop() }
        let codes = await withTaskGroup(of: FetchError.Code?.self, returning: Set<FetchError.Code?>.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    let error = await #expect(throws: FetchError.self) {
                        try await fetcher.fetch(self.ask(silent, .seconds(60)))
                    }
                    return error?.code
                }
            }
            while fetcher.waitingCount < 2 { await Task.yield() }
            // Ends the one that is under way.
            silent.close()
            return await group.reduce(into: []) { $0.insert($1) }
        }
        #expect(codes.contains(.overloaded) && codes.count == 2 && !codes.contains(.timedOut))
    }

    @Test func whatIsNamedDifferentlyMayBeOneServer() throws {
        #expect(try Fetcher.server(of: "https://Idp.example.com/a?b") == "https://idp.example.com:443")
        #expect(try Fetcher.server(of: "https://idp.example.com:443/c") == "https://idp.example.com:443")
        #expect(try Fetcher.server(of: "http://127.0.0.1:8080/") == "http://127.0.0.1:8080")
    }
}
