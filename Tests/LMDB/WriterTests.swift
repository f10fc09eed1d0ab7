import Glibc
import Synchronization
import Testing

@testable import LMDB

@Suite struct WriterTests {
    let folder = TemporaryFolder()

    /// Runs closures in one group: the writer is held until all of them are queued.
    private func oneGroup(
        in environment: Environment, _ bodies: [@Sendable (borrowing WriteTransaction) throws -> Void]
    ) -> [Result<Void, any Error>] {
        let hold = Gatekeeper()
        let results = Monitor<[Int: Result<Void, any Error>]>([:])
        environment.write({ _ in hold.wait() }, completion: { _ in })
        for (index, body) in bodies.enumerated() {
            environment.write(body) { result in
                results.withLock { $0[index] = result }
                results.wakeAll()
            }
        }
        hold.open()
        return results.wait { found in
            found.count == bodies.count ? bodies.indices.compactMap { found[$0] } : nil
        }
    }

    private func patient(_ size: UInt64 = 64 << 20) -> Environment.Configuration {
        var configuration = configuration(folder.path, size: size)
        configuration.groupDuration = .seconds(60)
        return configuration
    }

    @Test func aGroupIsOneTransactionAndAThrowAbortsOnlyItsOwnChild() throws {
        let committed = Mutex<[(UInt64, [[Change]])]>([])
        var configuration = patient()
        configuration.committed = { id, changes in committed.withLock { $0.append((id, changes)) } }
        let environment = try Environment.open(configuration)
        let before = environment.lastTransactionID
        let results = oneGroup(
            in: environment,
            [
                { try Tables.notes.put(Note("one"), for: "a", in: $0) },
                {
                    try Tables.notes.put(Note("two"), for: "b", in: $0)
                    try Tables.notes.delete("a", in: $0)
                    throw Refused()
                },
                {
                    // Sees what came before in its group and nothing of what was aborted.
                    #expect(try Tables.notes.get("a", in: $0) == Note("one"))
                    #expect(try Tables.notes.get("b", in: $0) == nil)
                    try Tables.notes.put(Note("three"), for: "c", in: $0)
                    try Tables.notes.delete("a", in: $0)
                },
            ])
        #expect(environment.lastTransactionID == before + 1)
        #expect((try? results[0].get()) != nil && (try? results[2].get()) != nil)
        #expect(throws: Refused()) { try results[1].get() }
        #expect(try environment.read { try Tables.notes.keys(in: $0) } == ["c"])
        environment.close()
        let groups = committed.withLock { $0 }
        #expect(groups.map(\.0) == [before + 1])
        #expect(groups.first?.1.map { $0.map(\.key) } == [[[97]], [[99], [97]]])
        #expect(groups.first?.1.last?.last == Change(table: "notes", key: [97], operation: .delete))
    }

    @Test func aGroupEndsAfterItsLimit() throws {
        var configuration = patient()
        configuration.groupLimit = 4
        let environment = try Environment.open(configuration)
        let before = environment.lastTransactionID
        _ = oneGroup(
            in: environment, (0..<11).map { n in { try Tables.notes.put(Note(""), for: "\(n)", in: $0) } })
        // Twelve with the one that held the writer.
        #expect(environment.lastTransactionID == before + 3)
    }

    @Test func aFullMapFailsItsOwnClosureAndWritingGoesOnAfterwards() throws {
        let environment = try Environment.open(patient(256 << 10))
        let results = oneGroup(
            in: environment,
            [
                { try Tables.notes.put(Note("before"), for: "a", in: $0) },
                { transaction in
                    let large = Note(String(repeating: "x", count: 3000))
                    for number in 0..<500 { try Tables.notes.put(large, for: "large \(number)", in: transaction) }
                },
                {
                    // Swallowing the error does not make a spoiled closure a success.
                    try? Tables.notes.put(Note(String(repeating: "x", count: 1 << 20)), for: "huge", in: $0)
                },
                { try Tables.notes.put(Note("after"), for: "b", in: $0) },
            ])
        #expect(results.map { result in code { try result.get() } } == [nil, .mapFull, .mapFull, nil])
        #expect(try environment.read { try Tables.notes.keys(in: $0) } == ["a", "b"])
        try put("later", "c", in: environment)
    }

    @Test func aMapThatIsFullOfRowsGivesRoomAgainWhenTheyAreDeleted() throws {
        let environment = try Environment.open(configuration(folder.path, size: 512 << 10))
        let large = String(repeating: "x", count: 3000)
        var count = 0
        while code({ try put(large, "row \(count)", in: environment) }) == nil { count += 1 }
        #expect(count > 50)
        #expect(code { try put(large, "one more", in: environment) } == .mapFull)
        #expect(try get("row 0", in: environment) == large)
        let half = count / 2
        try environment.writeAndWait { transaction in
            for number in 0..<half { try Tables.notes.delete("row \(number)", in: transaction) }
        }
        try put("small", "now", in: environment)
        try put(large, "row 0", in: environment)
    }

    @Test func moreThanTheQueueHoldsIsRefused() throws {
        var configuration = patient()
        configuration.maximumQueuedWrites = 3
        configuration.groupLimit = 1
        let environment = try Environment.open(configuration)
        let hold = Gatekeeper()
        let isRunning = Gatekeeper()
        let codes = Mutex<[LMDBError.Code?]>([])
        environment.write(
            { _ in
                isRunning.open(); hold.wait()
            }, completion: { _ in })
        isRunning.wait()
        for _ in 0..<5 {
            environment.write(
                { _ in },
                completion: { result in
                    codes.withLock { $0.append(code { try result.get() }) }
                })
        }
        #expect(environment.information.writeQueueDepth == 3)
        #expect(codes.withLock { $0 } == [.overloaded, .overloaded])
        hold.open()
        environment.close()
        #expect(codes.withLock { $0 } == [.overloaded, .overloaded, nil, nil, nil])
        #expect(code { try put("", "late", in: environment) } == .closed)
    }

    @Test func aWriteThatWaitsForAWriteIsRefused() throws {
        let environment = try Environment.open(configuration(folder.path))
        let result = code { try environment.writeAndWait { _ in try put("one", "a", in: environment) } }
        #expect(result == .inUse)
    }

    @Test func closingFromACompletionDoesNotWaitForItself() throws {
        let environment = try Environment.open(configuration(folder.path))
        let done = Gatekeeper()
        environment.write(
            { _ in },
            completion: { _ in
                environment.close(); done.open()
            })
        done.wait()
        environment.close()
        _ = try Environment.open(configuration(folder.path))
    }

    @Test func manyWritersAndReadersSeeWholeTransactions() async throws {
        let environment = try Environment.open(configuration(folder.path))
        try await environment.write { transaction in
            for name in ["left", "right"] { try Tables.notes.put(Note("0"), for: name, in: transaction) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<100 {
                        try await environment.write { transaction in
                            let next = Int(try Tables.notes.get("left", in: transaction)?.text ?? "") ?? 0
                            for name in ["left", "right"] {
                                try Tables.notes.put(Note("\(next + 1)"), for: name, in: transaction)
                            }
                        }
                    }
                }
            }
            for _ in 0..<2 {
                group.addTask {
                    let reader = try environment.makeReader()
                    var last = 0
                    while last < 800 {
                        last = try reader.read { transaction in
                            let left = try Tables.notes.get("left", in: transaction)
                            #expect(try Tables.notes.get("right", in: transaction) == left)
                            return Int(left?.text ?? "") ?? 0
                        }
                        await Task.yield()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(environment.information.lastCommitSeconds > 0)
    }
}

/// Opens once.
final class Gatekeeper: Sendable {
    private let isOpen = Monitor(false)

    func open() {
        isOpen.withLock { $0 = true }
        isOpen.wakeAll()
    }

    func wait() {
        isOpen.wait { $0 ? () : nil }
    }
}
