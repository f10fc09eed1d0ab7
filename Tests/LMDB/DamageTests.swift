import Glibc
import Testing

@testable import LMDB

/// Files that are damaged as disks, copies and people damage them. LMDB ends the process at many of them: here the process
/// is the one that runs the tests.
@Suite struct DamageTests {
    private static let pageSize = 4096

    /// A generator that repeats itself from run to run (SplitMix64).
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
            return word ^ word >> 31
        }
    }

    /// Rows of many lengths, some with pages of their own, put and deleted in many commits.
    private func fill(_ environment: Environment, seed: UInt64, rounds: Int) throws {
        for round in 0..<rounds {
            try environment.writeAndWait { transaction in
                var random = Seeded(state: seed &+ UInt64(round) &* 7919)
                for _ in 0..<40 {
                    let key = "row \(Int.random(in: 0..<900, using: &random))"
                    let length = [10, 100, 600, 3_000, 9_000].randomElement(using: &random) ?? 10
                    if Bool.random(using: &random) {
                        _ = try Tables.notes.delete(key, in: transaction)
                    } else {
                        try Tables.notes.put(Note(String(repeating: "x", count: length)), for: key, in: transaction)
                    }
                }
                for number in 0..<30 {
                    let sequence = UInt64(round * 30 + number)
                    try Tables.log.append(Note("event \(sequence)"), for: sequence, in: transaction)
                    try Tables.byUser.put(Note(""), for: KeyPair("user \(number % 7)", sequence), in: transaction)
                }
                if round > 3 {
                    for number in 0..<25 { try Tables.log.delete(UInt64((round - 4) * 30 + number), in: transaction) }
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func aSoundStoreIsFoundSound(seed: UInt64) throws {
        let folder = TemporaryFolder()
        let environment = try Environment.open(configuration(folder.path))
        #expect(try environment.damagedPages() == [])
        for part in 0..<4 {
            try fill(environment, seed: seed &* 1000 &+ UInt64(part), rounds: 6)
            #expect(try environment.damagedPages() == [])
            try environment.writeAndWait { try Tables.log.removeAll(in: $0) }
        }
        #expect(try environment.damagedPages() == [])
        try environment.backup(toFolder: "\(folder.path)/backup")
        environment.close()
        var again = configuration(folder.path)
        again.checksPages = true
        try Environment.open(again).close()
        again.path = "\(folder.path)/backup"
        again.readOnly = true
        #expect(try Environment.open(again).damagedPages() == [])
    }

    @Test func aStoreIsCheckedWhileOthersWrite() throws {
        let folder = TemporaryFolder()
        let environment = try Environment.open(configuration(folder.path))
        try fill(environment, seed: 9, rounds: 5)
        let writes = Monitor(0)
        for number in 0..<300 {
            environment.write({ try Tables.notes.put(Note("again \(number)"), for: "row \(number % 50)", in: $0) }) {
                _ in
                writes.withLock { $0 += 1 }
                writes.wakeAll()
            }
        }
        var checks = 0
        while writes.withLock({ $0 }) < 300 {
            #expect(try environment.damagedPages() == [])
            checks += 1
        }
        #expect(checks > 0)
    }

    @Test func everyPageThatIsOverwrittenIsFound() throws {
        let good = try Self.good.get()
        for page in 0..<good.bytes.count / Self.pageSize where !good.free.contains(page) {
            var random = Seeded(state: UInt64(page))
            var bytes = good.bytes
            for offset in 0..<3_000 { bytes[page * Self.pageSize + offset] = UInt8.random(in: 0...255, using: &random) }
            let found = try outcome(of: bytes)
            #expect(found == .refused, "page \(page)")
        }
    }

    @Test func everyPageOfZerosIsFound() throws {
        let good = try Self.good.get()
        for page in 0..<good.bytes.count / Self.pageSize where !good.free.contains(page) {
            var bytes = good.bytes
            for offset in 0..<Self.pageSize { bytes[page * Self.pageSize + offset] = 0 }
            #expect(try outcome(of: bytes) == .refused, "page \(page)")
        }
    }

    @Test func aFileThatWasCutAnywhereIsFound() throws {
        let good = try Self.good.get()
        var random = Seeded(state: 5)
        let places = [1, 100, 4_096, 8_191, 8_192, 8_193, 20_000, good.bytes.count / 2, good.bytes.count - 1]
        for place in places + (0..<20).map({ _ in Int.random(in: 1..<good.bytes.count, using: &random) }) {
            let found = try outcome(of: Array(good.bytes[..<place]))
            #expect(found == .refused, "\(place)")
        }
    }

    /// A few bytes anywhere: what is not found must at least be harmless to read, to copy and to restore.
    @Test func noFewBytesEndTheProcess() throws {
        let good = try Self.good.get()
        var random = Seeded(state: 77)
        var refused = 0
        for _ in 0..<200 {
            var bytes = good.bytes
            let page = Int.random(in: 0..<bytes.count / Self.pageSize, using: &random)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                // Mostly where the format is: the head of a page and its places.
                let offset = Int.random(in: 0..<(Bool.random(using: &random) ? 64 : Self.pageSize), using: &random)
                bytes[page * Self.pageSize + offset] = UInt8.random(in: 0...255, using: &random)
            }
            if try outcome(of: bytes) == .refused { refused += 1 }
        }
        #expect(refused > 20)
    }

    @Test func aPageThatIsFreeAndInUseIsFound() throws {
        let good = try Self.good.get()
        var bytes = good.bytes
        // The list of free pages names the root of a table.
        let text = try #require(good.freeList)
        withUnsafeBytes(of: UInt64(good.root).littleEndian) { number in
            for index in 0..<8 { bytes[text + 8 + index] = number[index] }
        }
        #expect(try outcome(of: bytes) == .refused)
    }

    // MARK: Files

    private struct GoodFile {
        var bytes: [UInt8]
        /// Pages that no tree has.
        var free: Set<Int> = []
        /// Where a list of free pages begins: its count, then the pages.
        var freeList: Int?
        /// The first page of some tree.
        var root = 0
    }

    private enum Outcome { case refused, accepted }

    private static let good = Result { try DamageTests().makeGoodFile() }

    private func makeGoodFile() throws -> GoodFile {
        let folder = TemporaryFolder()
        let environment = try Environment.open(configuration(folder.path))
        try fill(environment, seed: 42, rounds: 5)
        #expect(try environment.damagedPages() == [])
        environment.close()
        var good = GoodFile(bytes: try read("\(folder.path)/data.mdb"))
        let file = try #require(try PageFile(path: "\(folder.path)/data.mdb"))
        let metaPages = try file.metaPages()
        let meta = try #require(metaPages.max { $0.transactionID < $1.transactionID })
        good.root = Int(try #require(meta.mainTree.root))
        // Free pages, and what follows in a long value: they may hold anything.
        for page in 2..<good.bytes.count / Self.pageSize {
            var bytes = good.bytes
            for offset in 0..<8 { bytes[page * Self.pageSize + offset] = 0xff }
            let damaged = TemporaryFolder()
            try write(bytes, to: "\(damaged.path)/data.mdb")
            var opening = configuration(damaged.path)
            opening.checksPages = true
            if code({ try Environment.open(opening).close() }) == nil { good.free.insert(page) }
        }
        let leaf = try #require(meta.freeTree.root.map(Int.init))
        let place = Int(good.bytes.number(UInt16.self, at: leaf * Self.pageSize + 16))
        let node = leaf * Self.pageSize + place
        if meta.freeTree.depth == 1, good.bytes.number(UInt16.self, at: node + 4) == 0 { good.freeList = node + 16 }
        return good
    }

    /// What becomes of a store with this file: opened, checked, read, copied, and used as a backup.
    private func outcome(of bytes: [UInt8]) throws -> Outcome {
        let folder = TemporaryFolder()
        let source = TemporaryFolder()
        try write(bytes, to: "\(folder.path)/data.mdb")
        try write(bytes, to: "\(source.path)/data.mdb")
        let target = TemporaryFolder()
        let restored = code {
            try restore(source.path, configuration(target.path)).close()
        }
        let copied = code {
            let environment = try Environment.open(configuration(folder.path))
            defer { environment.close() }
            try environment.backup(toFolder: "\(folder.path)/backup")
            for table in [Tables.notes.description, Tables.log.description, Tables.byUser.description] {
                #expect(try environment.damagedPages(in: [table]) == [])
            }
            try environment.read { transaction in
                _ = try Tables.notes.unreadableRows(in: transaction)
                _ = try Tables.log.unreadableRows(in: transaction)
            }
        }
        #expect((restored == nil) == (copied == nil))
        return restored == nil ? .accepted : .refused
    }

    private func read(_ path: String) throws -> [UInt8] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64 << 20)
        return Array(bytes[..<fread(&bytes, 1, bytes.count, file)])
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}
