import Glibc
import Testing

@testable import LMDB

/// Copies on their way to their place.
@Suite struct StagedStoreTests {
    let folder = TemporaryFolder()
    let other = TemporaryFolder()
    var backup: String { "\(other.path)/backup" }

    /// Each would take the other's unfinished file for its own, and an empty one for a whole copy.
    @Test func twoBackupsAtOnceIntoOneFolder() async throws {
        let environment = try Environment.open(configuration(folder.path))
        for number in 0..<20 { try put("value", "row \(number)", in: environment) }
        for round in 0..<20 {
            let place = "\(other.path)/\(round)"
            let codes = await withTaskGroup(of: LMDBError.Code?.self) { group in
                for _ in 0..<4 { group.addTask { code { try environment.backup(toFolder: place) } } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.count { $0 == nil } == 1 && codes.count { $0 == .inUse || $0 == .alreadyExists } == 3)
            var reading = configuration(place)
            reading.readOnly = true
            #expect(try Environment.open(reading).read { try Tables.notes.count(in: $0) } == 20)
            #expect(access("\(place)/.unfinished", F_OK) != 0)
        }
    }

    @Test func aFolderThatAnotherBackupIsWrittenToIsLeftAlone() throws {
        let environment = try Environment.open(configuration(folder.path))
        #expect(mkdir(backup, 0o700) == 0 && mkdir("\(backup)/.unfinished", 0o700) == 0)
        let holder = open(backup, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        #expect(flock(holder, LOCK_EX) == 0)
        #expect(code { try environment.backup(toFolder: backup) } == .inUse)
        #expect(access("\(backup)/.unfinished", F_OK) == 0)
        // What it leaves when it dies is cleared away.
        close(holder)
        try environment.backup(toFolder: backup)
        #expect(access("\(backup)/.unfinished", F_OK) != 0)
    }

    @Test func aRestoreIsWholeOrNothing() throws {
        let environment = try Environment.open(configuration(folder.path))
        try put("old", "a", in: environment)
        try environment.backup(toFolder: backup)
        try put("new", "a", in: environment)
        environment.close()
        #expect(throws: Refused.self) {
            _ = try Environment.restore(fromFolder: backup, configuration(folder.path)) { copy in
                try put("half", "a", in: copy)
                throw Refused()
            }
        }
        #expect(access("\(folder.path)/.unfinished", F_OK) != 0)
        let kept = try Environment.open(configuration(folder.path))
        #expect(try get("a", in: kept) == "new")
        kept.close()
        let (restored, seen) = try Environment.restore(fromFolder: backup, configuration(folder.path)) { copy in
            let seen = try get("a", in: copy)
            try put("prepared", "a", in: copy)
            return seen
        }
        #expect(try seen == "old" && get("a", in: restored) == "prepared")
        #expect(access("\(folder.path)/.unfinished", F_OK) != 0)
        #expect(try restored.damagedPages() == [])
    }
}
