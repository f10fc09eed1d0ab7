import Glibc
import Testing

@testable import LMDB

/// Other processes on the same store: the test's body runs in one.
@Suite struct ProcessTests {
    let folder = TemporaryFolder()

    @Test func whatWasAnsweredIsThereAfterAKill() async throws {
        let path = folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let environment = try Environment.open(configuration(path))
            let reader = try environment.makeReader()
            for number in 0..<50 { try put("answered", "row \(number)", in: environment) }
            environment.write(
                { transaction in
                    try Tables.notes.put(Note("never"), for: "unanswered", in: transaction)
                    // Dies with an open read, within a group, holding LMDB's write lock.
                    try environment.read { _ in _ = kill(getpid(), SIGKILL) }
                }, completion: { _ in })
            try reader.read { _ in while true { pause() } }
        }
        let environment = try Environment.open(configuration(path))
        #expect(try environment.read { try Tables.notes.count(in: $0) } == 50)
        #expect(try get("unanswered", in: environment) == nil)
        try put("goes on", "next", in: environment)
    }

    @Test func anotherProcessWritesBesideTheServerAndIsSeenAtOnce() async throws {
        let path = folder.path
        let environment = try Environment.open(configuration(path))
        let reader = try environment.makeReader()
        try put("one", "a", in: environment)
        let before = reader.lastTransactionID
        let revision = try reader.read { try Tables.notes.revision(of: "a", in: $0) }
        await #expect(processExitsWith: .success) { [path = path as String] in
            let environment = try Environment.open(configuration(path))
            try put("two", "a", in: environment)
            environment.close()
        }
        #expect(reader.lastTransactionID == before + 1)
        #expect(try reader.read { try Tables.notes.get("a", in: $0) } == Note("two"))
        #expect(try reader.read { try Tables.notes.revision(of: "a", in: $0) } != revision)
        try put("three", "a", in: environment)
        var exclusive = configuration(path)
        exclusive.access = .exclusive
        #expect(code { _ = try restore(path, exclusive) } == .alreadyOpen)
    }

    @Test func aStoreThatAServerHasOpenIsNotRestored() async throws {
        let path = folder.path
        let environment = try Environment.open(configuration(path))
        await #expect(processExitsWith: .success) { [path = path as String] in
            let result = code { _ = try restore(path, configuration(path)) }
            exit(result == .inUse ? 0 : 1)
        }
        try put("one", "a", in: environment)
    }

    @Test func aMapThatAnotherProcessMadeLargerIsAdopted() async throws {
        let path = folder.path
        let environment = try Environment.open(configuration(path, size: 1 << 20))
        let reader = try environment.makeReader()
        let second = try environment.makeReader()
        try put("one", "a", in: environment)
        #expect(try second.read { try Tables.notes.count(in: $0) } == 1)
        await #expect(processExitsWith: .success) { [path = path as String] in
            let environment = try Environment.open(configuration(path, size: 64 << 20))
            try environment.writeAndWait { transaction in
                let large = Note(String(repeating: "x", count: 3000))
                for number in 0..<1_000 { try Tables.notes.put(large, for: "row \(number)", in: transaction) }
            }
            environment.close()
        }
        #expect(try reader.read { try Tables.notes.count(in: $0) } == 1_001)
        #expect(try second.read { try Tables.notes.get("row 999", in: $0)?.text.count } == 3000)
        try put("two", "b", in: environment)
        #expect(environment.information.mapBytes == 64 << 20)
        // The writer may be the first to meet a larger map, too.
        #expect(try get("b", in: environment) == "two")
    }

    @Test func placesOfDeadReadersAreGivenBack() async throws {
        let path = folder.path
        for _ in 0..<3 {
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                var few = configuration(path)
                few.maximumReaders = 4
                let environment = try Environment.open(few)
                var readers: [Reader] = []
                while readers.count < 200, let reader = try? environment.makeReader() { readers.append(reader) }
                kill(getpid(), SIGKILL)
            }
        }
        var few = configuration(path)
        few.maximumReaders = 4
        let environment = try Environment.open(few)
        #expect(try get("a", in: environment) == nil)
    }
}
