import Glibc
import Testing

@testable import LMDB

@Suite struct BackupTests {
    let folder = TemporaryFolder()
    let other = TemporaryFolder()
    var backup: String { "\(other.path)/backup" }

    @Test func aBackupHoldsOneSnapshotAndIsSmaller() throws {
        let environment = try Environment.open(configuration(folder.path))
        try fill(environment)
        try environment.writeAndWait { transaction in
            for number in 0..<900 { try Tables.notes.delete("row \(number)", in: transaction) }
        }
        try environment.backup(toFolder: backup)
        try put("later", "row 950", in: environment)
        var status = stat()
        #expect(stat("\(backup)/data.mdb", &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(UInt64(status.st_size) < environment.information.usedBytes / 2)
        #expect(access("\(backup)/.unfinished", F_OK) != 0)
        var reading = configuration(backup)
        reading.readOnly = true
        let copy = try Environment.open(reading)
        #expect(try copy.read { try Tables.notes.count(in: $0) } == 100)
        #expect(try get("row 950", in: copy) == "value")
    }

    @Test func aFolderWithAStoreIsNoPlaceForABackup() throws {
        let environment = try Environment.open(configuration(folder.path))
        try environment.backup(toFolder: backup)
        #expect(code { try environment.backup(toFolder: backup) } == .alreadyExists)
        #expect(code { try environment.backup(toFolder: folder.path) } == .alreadyExists)
        #expect(code { try environment.backup(toFolder: "\(other.path)/no/such") } == .io)
    }

    @Test func aRestoredStoreIsTheBackupWithNewRevisions() throws {
        let environment = try Environment.open(configuration(folder.path))
        try fill(environment)
        for _ in 0..<5 { try put("value", "row 1", in: environment) }
        let revision = try environment.read { try Tables.notes.revision(of: "row 1", in: $0) }
        try environment.backup(toFolder: backup)
        try put("lost", "row 1", in: environment)
        #expect(code { _ = try restore(backup, configuration(folder.path)) } == .alreadyOpen)
        environment.close()
        let restored = try restore(backup, configuration(folder.path))
        #expect(try get("row 1", in: restored) == "value")
        #expect(try restored.read { try Tables.notes.revision(of: "row 1", in: $0) } == revision)
        // The copy counts its transactions from one again; a revision must not come back all the same.
        var seen: Set<UInt64?> = [revision]
        for _ in 0..<20 {
            try put("value", "row 1", in: restored)
            seen.insert(try restored.read { try Tables.notes.revision(of: "row 1", in: $0) })
        }
        #expect(seen.count == 21)
        restored.close()
        try put("on", "row 1", in: try Environment.open(configuration(folder.path)))
    }

    @Test func aStoreOrABackupInUseIsNotRestored() throws {
        let environment = try Environment.open(configuration(folder.path))
        try environment.backup(toFolder: backup)
        let target = TemporaryFolder()
        #expect(code { _ = try restore(folder.path, configuration(target.path)) } == .inUse)
        let holder = open("\(target.path)/gatehouse.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #expect(flock(holder, LOCK_SH) == 0)
        #expect(code { _ = try restore(backup, configuration(target.path)) } == .inUse)
        close(holder)
        _ = try restore(backup, configuration(target.path))
    }

    @Test func aDamagedBackupLeavesTheStoreAsItIs() throws {
        let environment = try Environment.open(configuration(folder.path))
        try fill(environment)
        try environment.backup(toFolder: backup)
        environment.close()
        #expect(truncate("\(backup)/data.mdb", 4 * 4096) == 0)
        let result = code { _ = try restore(backup, configuration(folder.path)) }
        #expect(result == .corrupted)
        #expect(access("\(folder.path)/.unfinished", F_OK) != 0)
        #expect(try get("row 1", in: Environment.open(configuration(folder.path))) == "value")
    }

    @Test func aBackupOfALaterSchemaIsNotRestored() throws {
        let environment = try Environment.open(configuration(folder.path, schema: 8))
        try environment.backup(toFolder: backup)
        environment.close()
        let target = TemporaryFolder()
        let result = code { _ = try restore(backup, configuration(target.path, schema: 7)) }
        #expect(result == .schemaTooNew)
    }

    private func fill(_ environment: Environment) throws {
        try environment.writeAndWait { transaction in
            for number in 0..<1_000 { try Tables.notes.put(Note("value"), for: "row \(number)", in: transaction) }
        }
    }
}
