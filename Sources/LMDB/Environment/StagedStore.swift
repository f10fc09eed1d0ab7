internal import CLMDB
internal import Glibc

/// A copy of a store that is made and checked in a folder of its own, beside its place, before it gets its name.
struct StagedStore {
    private let folder: String
    private let staging: String
    private let claim: StagingClaim
    private var file: String { "\(staging)/data.mdb" }

    /// Clears away what one that was killed has left.
    ///
    /// - Throws: `inUse` while somebody else makes a copy in the same folder.
    init(in folder: String) throws(LMDBError) {
        self.folder = folder
        staging = "\(folder)/.unfinished"
        claim = try StagingClaim(folder)
        discard()
        guard mkdir(staging, 0o700) == 0 else { throw .system("making the folder \(staging)") }
    }

    /// A compacted copy of one snapshot.
    func copy(from store: Store) throws(LMDBError) {
        let output = try create()
        defer { close(output) }
        guard let result = store.inside(nil, { mdb_env_copyfd2($0, output, UInt32(MDB_CP_COMPACT)) }) else {
            throw Gate.closedError
        }
        guard result == MDB_SUCCESS else {
            throw LMDBError(returnCode: result, doing: "copying the store to \(folder)", folder: folder)
        }
        guard fsync(output) == 0 else { throw .system("writing \(file)") }
    }

    /// A byte by byte copy of a file that nobody writes.
    func copy(from path: String) throws(LMDBError) {
        let input = open(path, O_RDONLY | O_CLOEXEC)
        guard input >= 0 else { throw .system("opening \(path)") }
        defer { close(input) }
        let output = try create()
        defer { close(output) }
        var part = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(input, &part, part.count)
            guard count >= 0 else { throw .system("reading \(path)") }
            if count == 0 { break }
            var written = 0
            while written < count {
                let step = part.withUnsafeBytes {
                    write(output, $0.baseAddress?.advanced(by: written), count - written)
                }
                guard step > 0 else { throw .system("writing \(file)") }
                written += step
            }
        }
        guard fsync(output) == 0 else { throw .system("writing \(file)") }
    }

    /// Gives the copy revisions of its own, opens it again and reads every row of every table.
    func check(_ configuration: Environment.Configuration) throws(LMDBError) {
        var configuration = configuration
        configuration.path = staging
        configuration.readOnly = false
        // LMDB would make an empty store of a file that is not there.
        guard try PageFile(path: file) != nil else {
            throw LMDBError(.notAnEnvironment, "\(file) is no store")
        }
        let tables = configuration.tables + [StoreMetadata.table.description]
        let handles = TableHandles(tables, folder: staging)
        defer { withExtendedLifetime(handles) {} }
        // Before LMDB reads any page all are looked at.
        configuration.checksPages = true
        try StoreOpening(configuration: configuration, tables: tables, handles: handles).beginNewLife()
        configuration.checksPages = false
        let (environment, _) = try StoreOpening(configuration: configuration, tables: tables, handles: handles).run()
        defer { mdb_env_close(environment) }
        var transaction: OpaquePointer?
        let result = mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction)
        guard result == MDB_SUCCESS, let transaction else { throw LMDBError(returnCode: result, doing: "checking") }
        defer { mdb_txn_abort(transaction) }
        let view = TransactionView(transaction: transaction, handles: handles)
        for table in Set(tables) { try check(table, in: view) }
    }

    private func check(_ table: TableDescription, in view: TransactionView) throws(LMDBError) {
        guard let cursor = try Cursor(table, in: view) else { return }
        var count = 0
        var row = try cursor.move(MDB_FIRST)
        while let current = row {
            guard RecordHeader(current.value) != nil else {
                throw LMDBError(.corrupted, "the copy has a value in table \(table.name) that is cut short")
            }
            count += 1
            row = try cursor.move(MDB_NEXT)
        }
        let expected = try view.count(of: table)
        guard count == expected else {
            throw LMDBError(.corrupted, "the copy has \(count) of \(expected) rows in table \(table.name)")
        }
    }

    /// Lends the copy, open for this process alone, so that it can be changed before anybody sees it.
    ///
    /// - Throws: what opening and `body` throw.
    func withEnvironment<R>(
        _ configuration: Environment.Configuration, _ body: (Environment) throws -> R
    ) throws -> R {
        var configuration = configuration
        configuration.path = staging
        configuration.access = .exclusive
        let environment = try Environment.open(configuration)
        // Everything is on the disk when it is closed.
        defer { environment.close() }
        return try body(environment)
    }

    /// The copy takes its place in one step.
    func publish() throws(LMDBError) {
        unlink("\(folder)/lock.mdb")
        guard rename(file, "\(folder)/data.mdb") == 0 else { throw .system("moving \(file) to its place") }
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw .system("opening \(folder)") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw .system("writing \(folder)") }
        discard()
    }

    /// Leaves nothing behind but what was published.
    func discard() {
        unlink(file)
        unlink("\(staging)/lock.mdb")
        unlink("\(staging)/gatehouse.lock")
        rmdir(staging)
    }

    private func create() throws(LMDBError) -> Int32 {
        let output = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw .system("making \(file)") }
        return output
    }
}

/// The right to make a copy in a folder. Two that do it at once would take each other's unfinished files for their own;
/// a process that dies gives the right back.
private final class StagingClaim {
    private let file: Int32

    /// - Throws: `inUse`, `io`.
    init(_ folder: String) throws(LMDBError) {
        file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .system("opening the folder \(folder)") }
        // Other answers: the file system has no locks for folders (NFS).
        guard flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            throw LMDBError(.inUse, "another backup or restore is writing to \(folder): wait until it has ended")
        }
    }

    deinit {
        if file >= 0 { close(file) }
    }
}
