import CLMDB
import Glibc
import Testing

@testable import LMDB

@Suite struct OpeningTests {
    let folder = TemporaryFolder()

    @Test func aStoreIsThereAfterItWasClosed() throws {
        let first = try Environment.open(configuration(folder.path))
        try put("one", "a", in: first)
        first.close()
        let second = try Environment.open(configuration(folder.path))
        #expect(try get("a", in: second) == "one")
        var status = stat()
        #expect(stat("\(folder.path)/data.mdb", &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test func aSecondEnvironmentOfAFolderIsRefusedHoweverItIsSpelled() throws {
        let first = try Environment.open(configuration(folder.path))
        #expect(code { _ = try Environment.open(configuration(folder.path)) } == .alreadyOpen)
        #expect(code { _ = try Environment.open(configuration("\(folder.path)/./")) } == .alreadyOpen)
        try put("one", "a", in: first)
        first.close()
        first.close()
    }

    @Test func aFolderThatIsMissingIsNotMade() {
        #expect(code { _ = try Environment.open(configuration("\(folder.path)/none")) } == .io)
    }

    @Test func whatIsNoEnvironmentIsRefused() throws {
        let path = "\(folder.path)/data.mdb"
        try write([UInt8](repeating: 0x5a, count: 100_000), to: path)
        #expect(code { _ = try Environment.open(configuration(folder.path)) } == .notAnEnvironment)
        try write([1, 2, 3], to: path)
        #expect(code { _ = try Environment.open(configuration(folder.path)) } == .notAnEnvironment)
        unlink(path)
        _ = try Environment.open(configuration(folder.path))
    }

    @Test func aFileThatWasCutShortIsRefusedWithoutASignal() throws {
        let environment = try Environment.open(configuration(folder.path))
        try environment.writeAndWait { transaction in
            for number in 0..<2_000 { try Tables.notes.put(Note("value"), for: "key \(number)", in: transaction) }
        }
        environment.close()
        #expect(truncate("\(folder.path)/data.mdb", 3 * 4096) == 0)
        let result = code {
            let environment = try Environment.open(configuration(folder.path))
            _ = try environment.read { try Tables.notes.keys(in: $0) }
        }
        #expect(result == .corrupted)
    }

    @Test func anotherProgramsEnvironmentIsRefused() throws {
        var environment: OpaquePointer?
        var transaction: OpaquePointer?
        var table: UInt32 = 0
        #expect(mdb_env_create(&environment) == 0 && mdb_env_set_maxdbs(environment, 4) == 0)
        #expect(mdb_env_open(environment, folder.path, 0, 0o600) == 0)
        #expect(mdb_txn_begin(environment, nil, 0, &transaction) == 0)
        #expect(mdb_dbi_open(transaction, "theirs", UInt32(MDB_CREATE), &table) == 0)
        #expect(mdb_txn_commit(transaction) == 0)
        mdb_env_close(environment)
        #expect(code { _ = try Environment.open(configuration(folder.path)) } == .notAnEnvironment)
        var reading = configuration(folder.path)
        reading.readOnly = true
        #expect(code { _ = try Environment.open(reading) } == .notAnEnvironment)
    }

    @Test func aNewerSchemaIsRefusedAndTheOneBeforeIsRead() throws {
        try Environment.open(configuration(folder.path, schema: 7)).close()
        #expect(code { _ = try Environment.open(configuration(folder.path, schema: 6)) } == .schemaTooNew)
        #expect(code { _ = try Environment.open(configuration(folder.path, schema: 9)) } == .schemaTooOld)
        let later = try Environment.open(configuration(folder.path, schema: 8))
        #expect(later.information.schemaVersion == 7)
    }

    @Test func exclusiveAccessIsForOneAlone() throws {
        let holder = open("\(folder.path)/gatehouse.lock", O_RDWR | O_CREAT, 0o600)
        defer { close(holder) }
        #expect(flock(holder, LOCK_SH) == 0)
        var exclusive = configuration(folder.path)
        exclusive.access = .exclusive
        #expect(code { _ = try Environment.open(exclusive) } == .inUse)
        _ = try Environment.open(configuration(folder.path))
        #expect(flock(holder, LOCK_EX) == 0)
        #expect(code { _ = try Environment.open(configuration(folder.path)) } == .inUse)
        #expect(flock(holder, LOCK_UN) == 0)
        let environment = try Environment.open(exclusive)
        #expect(flock(holder, LOCK_SH | LOCK_NB) != 0)
        environment.close()
    }

    @Test func aServerInAnotherPIDNamespaceIsFound() throws {
        let holder = open("\(folder.path)/gatehouse.lock", O_RDWR | O_CREAT, 0o600)
        defer { close(holder) }
        #expect(flock(holder, LOCK_SH) == 0)
        let text = Array("4711 12\n".utf8)
        #expect(Glibc.write(holder, text, text.count) == text.count)
        #expect(code { _ = try Environment.open(configuration(folder.path)) } == .foreignServer)
        // Nobody holds it any more: what the file says is old.
        #expect(flock(holder, LOCK_UN) == 0)
        _ = try Environment.open(configuration(folder.path))
    }

    @Test func networkFileSystemsAreRefused() throws {
        #expect(FileSystemKind.network(type: 0x6969, subtype: { nil }) == "NFS")
        #expect(FileSystemKind.network(type: -0x00AC_B2BE, subtype: { nil }) == "CIFS")
        #expect(FileSystemKind.network(type: 0xEF53, subtype: { nil }) == nil)
        #expect(FileSystemKind.network(type: 0x6573_5546, subtype: { "fuse.sshfs" }) == "fuse.sshfs")
        #expect(FileSystemKind.network(type: 0x6573_5546, subtype: { "fuse.fuse-overlayfs" }) == nil)
        let table = """
            24 30 0:22 / /proc rw,nosuid shared:12 - proc proc rw
            31 1 0:40 / /mnt/a rw shared:1 master:2 - fuse.sshfs host:/ rw
            """
        #expect(FileSystemKind.mountedType(device: "0:40", table: table) == "fuse.sshfs")
        #expect(FileSystemKind.mountedType(device: "0:41", table: table) == nil)
        #expect(FileSystemKind.mountedType(of: "/proc") == "proc")
        try FileSystemKind.refuseNetwork(folder.path)
    }

    @Test func aStoreForReadingRefusesWritesAndReadsMissingTablesAsEmpty() throws {
        var small = configuration(folder.path)
        small.tables = [Tables.notes.description]
        let environment = try Environment.open(small)
        try put("one", "a", in: environment)
        environment.close()
        var reading = configuration(folder.path)
        reading.readOnly = true
        let reader = try Environment.open(reading)
        #expect(try get("a", in: reader) == "one")
        #expect(try reader.read { try Tables.log.count(in: $0) } == 0)
        #expect(try reader.read { try Tables.log.last(in: $0)?.0 } == nil)
        #expect(code { try put("two", "b", in: reader) } == .readOnly)
    }

    @Test func aTableThatWasNotDeclaredIsRefused() throws {
        let environment = try Environment.open(configuration(folder.path))
        #expect(code { _ = try environment.read { try Tables.undeclared.get("a", in: $0) } } == .unknownTable)
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(file) }
        #expect(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }
}
