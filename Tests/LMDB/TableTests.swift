import Testing

@testable import LMDB

@Suite struct TableTests {
    let folder = TemporaryFolder()
    let environment: Environment

    init() throws {
        environment = try Environment.open(configuration(folder.path))
    }

    @Test func rowsArePutInsertedReadAndDeleted() throws {
        try environment.writeAndWait { transaction in
            try Tables.notes.put(Note("one"), for: "a", in: transaction)
            #expect(try Tables.notes.get("a", in: transaction) == Note("one"))
            #expect(try !Tables.notes.insert(Note("two"), for: "a", in: transaction))
            #expect(try Tables.notes.insert(Note("three"), for: "b", in: transaction))
            #expect(try Tables.notes.delete("b", in: transaction))
            #expect(try !Tables.notes.delete("b", in: transaction))
            try Tables.notes.put(Note(""), for: "empty", in: transaction)
        }
        #expect(try get("a", in: environment) == "one")
        #expect(try get("empty", in: environment) == "")
        #expect(try get("b", in: environment) == nil)
        try environment.writeAndWait { try Tables.notes.removeAll(in: $0) }
        #expect(try environment.read { try Tables.notes.count(in: $0) } == 0)
    }

    @Test func aRevisionChangesWithEachWriteOfTheRowOnly() throws {
        try put("one", "a", in: environment)
        try put("one", "b", in: environment)
        let revisions = { try environment.read { (try Tables.notes.revision(of: "a", in: $0), $0.transactionID) } }
        let first = try revisions()
        try put("two", "b", in: environment)
        let second = try revisions()
        #expect(first.0 == second.0 && first.1 < second.1)
        try put("one", "a", in: environment)
        let third = try environment.read { try Tables.notes.getWithRevision("a", in: $0) }
        #expect(third?.record == Note("one") && third?.revision != first.0)
        #expect(try environment.read { try Tables.notes.revision(of: "none", in: $0) } == nil)
        #expect(environment.lastTransactionID == environment.information.lastTransactionID)
    }

    @Test func keysThatCannotBeStoredAreFoundNowhereAndRefused() throws {
        let long = String(repeating: "x", count: 512)
        #expect(try get(long, in: environment) == nil)
        #expect(try get("", in: environment) == nil)
        #expect(code { try put("one", long, in: environment) } == .keyTooLong)
        #expect(code { try put("one", "", in: environment) } == .keyTooLong)
        try put("one", String(repeating: "x", count: 511), in: environment)
        #expect(try environment.read { try Tables.notes.keys(from: long, in: $0).count } == 0)
        #expect(try environment.read { try Tables.notes.keys(from: long, reversed: true, in: $0).count } == 1)
    }

    @Test func aRecordOfALaterSchemaIsRefused() throws {
        try environment.writeAndWait { try Tables.laterNotes.put(LaterNote(), for: "a", in: $0) }
        #expect(code { _ = try get("a", in: environment) } == .schemaTooNew)
        try put("one", "b", in: environment)
        #expect(try environment.read { try Tables.laterNotes.get("b", in: $0) } != nil)
    }

    @Test func numbersAreInOrderAndScannedBothWays() throws {
        let numbers: [UInt64] = [1, 2, 255, 256, 65536, .max - 1]
        try environment.writeAndWait { transaction in
            for number in numbers { try Tables.log.append(Note("\(number)"), for: number, in: transaction) }
        }
        #expect(
            code { try environment.writeAndWait { try Tables.log.append(Note(""), for: 7, in: $0) } } == .outOfOrder)
        try environment.read { transaction in
            #expect(try Tables.log.keys(in: transaction) == numbers)
            #expect(try Tables.log.keys(reversed: true, in: transaction) == numbers.reversed())
            #expect(try Tables.log.keys(from: 3, in: transaction) == [255, 256, 65536, .max - 1])
            #expect(try Tables.log.keys(from: 255, limit: 2, in: transaction) == [255, 256])
            #expect(try Tables.log.keys(from: 300, reversed: true, in: transaction) == [256, 255, 2, 1])
            #expect(try Tables.log.keys(from: .max, reversed: true, limit: 1, in: transaction) == [.max - 1])
            #expect(try Tables.log.keys(from: .max, in: transaction) == [])
            #expect(try Tables.log.keys(from: 0, reversed: true, in: transaction) == [])
            #expect(try Tables.log.last(in: transaction)?.0 == .max - 1)
            #expect(try Tables.log.first(in: transaction)?.1 == Note("1"))
            #expect(try Tables.log.count(in: transaction) == numbers.count)
            var seen: [String] = []
            try Tables.log.forEach(in: transaction) { _, record, raw in
                #expect(Array(raw) == Array(record.text.utf8))
                seen.append(record.text)
                return seen.count < 3
            }
            #expect(seen == ["1", "2", "255"])
        }
    }

    @Test func aPrefixBoundsAScanBothWays() throws {
        let users = ["a", "ab", "a\0b", "\u{10FFFF}"]
        try environment.writeAndWait { transaction in
            for user in users {
                for number in UInt64(1)...3 {
                    try Tables.byUser.put(Note(user), for: KeyPair(user, number), in: transaction)
                }
            }
        }
        try environment.read { transaction in
            for user in users {
                let prefix = KeyPair<String, UInt64>.prefix(user)
                let forwards = try Tables.byUser.keys(prefix: prefix, in: transaction)
                #expect(forwards == [1, 2, 3].map { KeyPair(user, $0) })
                let backwards = try Tables.byUser.keys(prefix: prefix, reversed: true, in: transaction)
                #expect(backwards == [3, 2, 1].map { KeyPair(user, $0) })
                let from = KeyPair(user, UInt64(2))
                let later = try Tables.byUser.keys(prefix: prefix, from: from, in: transaction)
                #expect(later.map(\.second) == [2, 3])
                let before = try Tables.byUser.keys(prefix: prefix, from: from, reversed: true, in: transaction)
                #expect(before.map(\.second) == [2, 1])
            }
            let none = KeyPair<String, UInt64>.prefix("b")
            #expect(try Tables.byUser.keys(prefix: none, in: transaction).isEmpty)
            #expect(try Tables.byUser.keys(prefix: none, reversed: true, in: transaction).isEmpty)
            #expect(try Tables.byUser.keys(prefix: [255, 255], reversed: true, in: transaction).isEmpty)
            let first = KeyPair("a", UInt64(0))
            let ab = KeyPair<String, UInt64>.prefix("ab")
            #expect(try Tables.byUser.keys(prefix: ab, from: first, in: transaction).count == 3)
            #expect(try Tables.byUser.keys(prefix: ab, from: first, reversed: true, in: transaction).isEmpty)
        }
    }

    @Test func keysComeBackAndKeepTheirOrder() {
        var generator = SplitMix(state: 42)
        var keys: [KeyPair<[UInt8], [UInt8]>] = []
        for _ in 0..<500 {
            let part = {
                (0..<Int.random(in: 0...4, using: &generator)).map { _ in UInt8.random(in: 0...2, using: &generator) }
            }
            keys.append(KeyPair(part(), part()))
        }
        for key in keys {
            let bytes = key.encoded
            #expect(bytes.count == key.encodedCount)
            #expect(bytes.withUnsafeBytes { KeyPair<[UInt8], [UInt8]>.decode($0) } == key)
            for other in keys {
                let expected =
                    key.first == other.first
                    ? key.second.lexicographicallyPrecedes(other.second)
                    : key.first.lexicographicallyPrecedes(other.first)
                #expect(bytes.lexicographicallyPrecedes(other.encoded) == expected)
            }
        }
        let hostile: [[UInt8]] = [[], [0], [0, 2, 1], [1, 2, 3], [0, 1], [65, 0, 0, 1]]
        for bytes in hostile { #expect(bytes.withUnsafeBytes { KeyPair<String, UInt64>.decode($0) } == nil) }
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
