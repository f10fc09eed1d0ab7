import Glibc
import Testing

@testable import LMDB

@Suite struct ReaderTests {
    let folder = TemporaryFolder()

    @Test func aReadKeepsItsSnapshotWhileOthersGoOn() throws {
        let environment = try Environment.open(configuration(folder.path))
        try put("one", "a", in: environment)
        let first = try environment.makeReader()
        let second = try environment.makeReader()
        try first.read { old in
            try put("two", "a", in: environment)
            #expect(try Tables.notes.get("a", in: old) == Note("one"))
            let new = try second.read { (try Tables.notes.get("a", in: $0), $0.transactionID) }
            #expect(new == (Note("two"), old.transactionID + 1))
            #expect(first.lastTransactionID == new.1)
        }
        #expect(try first.read { try Tables.notes.get("a", in: $0) } == Note("two"))
        #expect(first.lastTransactionID == environment.lastTransactionID)
    }

    @Test func aReaderIsUsableAfterAThrowAndRefusedWithinItsOwnRead() throws {
        let environment = try Environment.open(configuration(folder.path))
        let reader = try environment.makeReader()
        #expect(throws: Refused()) { try reader.read { _ in throw Refused() } }
        #expect(code { try reader.read { _ in try reader.read { _ in } } } == .inUse)
        #expect(try reader.read { try Tables.notes.count(in: $0) } == 0)
    }

    @Test func aReaderOutlivesTheEnvironmentsEnd() throws {
        let environment = try Environment.open(configuration(folder.path))
        let reader = try environment.makeReader()
        environment.close()
        #expect(code { try reader.read { _ in } } == .closed)
        #expect(reader.lastTransactionID == 0 && environment.lastTransactionID == 0)
        #expect(code { _ = try environment.makeReader() } == .closed)
        let again = try Environment.open(configuration(folder.path))
        try put("one", "a", in: again)
    }

    @Test func readersGiveTheirPlacesBack() throws {
        var few = configuration(folder.path)
        few.maximumReaders = 4
        let environment = try Environment.open(few)
        var readers: [Reader] = []
        // LMDB rounds the size of its table up, so the limit is found rather than assumed.
        let full = code { while readers.count < 200 { readers.append(try environment.makeReader()) } }
        #expect(full == .readersFull)
        #expect(code { _ = try get("a", in: environment) } == .readersFull)
        readers.removeLast()
        for _ in 0..<10 { #expect(try get("a", in: environment) == nil) }
        #expect(environment.information.readers >= 4)
    }

    @Test func openingAnewAfterABrokenWriteKeepsReadersAndTables() throws {
        let environment = try Environment.open(configuration(folder.path))
        try put("one", "a", in: environment)
        let reader = try environment.makeReader()
        try environment.reopenForTesting()
        #expect(try reader.read { try Tables.notes.get("a", in: $0) } == Note("one"))
        try put("two", "a", in: environment)
        #expect(try reader.read { try Tables.notes.get("a", in: $0) } == Note("two"))
    }
}
