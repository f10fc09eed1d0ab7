internal import Glibc
internal import Synchronization

/// The store of one data folder. Reads happen on the caller's thread in place; writes are closures for the one writer.
///
/// Rules, each learned by trying:
/// - One environment a folder and process; a second one is refused (`alreadyOpen`).
/// - A read is short and never spans a suspension: while it is open no page that it may see is used again, and the file
///   grows.
/// - A write closure changes at most about 1,000 rows and waits for nothing.
public final class Environment: Sendable {
    let store: Store
    /// Nil when opened for reading only.
    private let writer: Writer?

    private init(store: Store) {
        self.store = store
        writer = store.configuration.readOnly ? nil : Writer(store)
    }

    deinit {
        close()
    }

    /// Opens the store in a folder, creating it when there is none.
    ///
    /// - Throws: `alreadyOpen`, `inUse`, `foreignServer`, `networkFileSystem`, `schemaTooNew`, `schemaTooOld`,
    ///   `notAnEnvironment`, `versionMismatch`, `corrupted`, `diskFull`, `mapFull`, `io`.
    public static func open(_ configuration: Configuration) throws(LMDBError) -> Environment {
        if !configuration.isBackup { try FileSystemKind.refuseNetwork(configuration.path) }
        let lock = try FolderLock.acquire(
            folder: configuration.path, exclusive: configuration.access == .exclusive,
            mayWrite: !configuration.readOnly)
        return Environment(store: try Store(configuration, lock: lock))
    }

    /// Puts a backup in the place of a folder's store and opens it. The store that was there stays until the copy has
    /// been checked and changed by `prepare`: whatever ends the process before that leaves it as it is. Every revision
    /// differs from all that were there before.
    ///
    /// - Parameters:
    ///   - configuration: opened with exclusive access, whatever it says.
    ///   - prepare: gets the copy, which must not be kept. When it throws, nothing is replaced.
    /// - Throws: `inUse` while anybody has the store or the backup open; what opening and `prepare` throw.
    public static func restore<R>(
        fromFolder backup: String, _ configuration: Configuration, prepare: (Environment) throws -> R
    ) throws -> (environment: Environment, prepared: R) {
        var configuration = configuration
        configuration.access = .exclusive
        configuration.readOnly = false
        try FileSystemKind.refuseNetwork(configuration.path)
        let lock = try FolderLock.acquire(folder: configuration.path, exclusive: true, mayWrite: true)
        guard !FolderLock.isHeld(backup) else {
            throw LMDBError(.inUse, "the store in \(backup) is in use: restore from a backup, not from a live store")
        }
        let staged = try StagedStore(in: configuration.path)
        let prepared: R
        do {
            try staged.copy(from: "\(backup)/data.mdb")
            try staged.check(configuration)
            prepared = try staged.withEnvironment(configuration, prepare)
            try staged.publish()
        } catch {
            staged.discard()
            throw error
        }
        return (Environment(store: try Store(configuration, lock: lock)), prepared)
    }

    /// Refuses new writes, finishes the queued ones, waits for readers and closes. Readers throw `closed` afterwards.
    /// From a completion it returns at once and the writer closes later. A second call does nothing.
    public func close() {
        if let writer { writer.stop() } else { store.close() }
    }

    /// The number of the last committed write of any process; zero when closed. Meant for a look now and then: a loop
    /// asks its ``Reader``.
    public var lastTransactionID: UInt64 { store.lastTransactionID() ?? 0 }

    /// What metrics show.
    public var information: Information { store.information(queued: writer?.depth ?? 0) }

    /// A reader for one event loop.
    public func makeReader() throws(LMDBError) -> Reader {
        try Reader(store: store, keeping: self)
    }

    /// Reads in a transaction of its own; for the command line and worker threads.
    ///
    /// - Throws: ``LMDBError`` or what `body` throws.
    public func read<R>(_ body: (borrowing ReadTransaction) throws -> R) throws -> R {
        try store.read(body)
    }

    // MARK: Writing

    /// Queues a write. The closure runs on the writer's thread in a transaction of its own, may run while others' are
    /// not committed yet, and must neither block nor depend on anything outside.
    ///
    /// - Parameter completion: called once, on the writer's thread, after the changes are on the disk; or on the
    ///   caller's when the write was refused (`overloaded`, `closed`, `readOnly`). Must not block.
    public func write<R: Sendable>(
        _ body: @escaping @Sendable (borrowing WriteTransaction) throws -> R,
        completion: @escaping @Sendable (Result<R, any Error>) -> Void
    ) {
        let job = Writer.Job(body, completion: completion)
        guard let writer else {
            return job.refuse(LMDBError(.readOnly, "the store was opened for reading only"))
        }
        writer.submit(job)
    }

    /// Writes and suspends until the changes are on the disk.
    ///
    /// - Throws: ``LMDBError`` or what `body` throws; nothing was written then.
    public func write<R: Sendable>(
        _ body: @escaping @Sendable (borrowing WriteTransaction) throws -> R
    ) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            write(body) { continuation.resume(with: $0) }
        }
    }

    /// Writes and blocks the calling thread until the changes are on the disk. Not for event loops and not within
    /// another write.
    ///
    /// - Throws: ``LMDBError`` or what `body` throws; nothing was written then.
    public func writeAndWait<R: Sendable>(
        _ body: @escaping @Sendable (borrowing WriteTransaction) throws -> R
    ) throws -> R {
        guard writer?.isCurrentThread != true else {
            throw LMDBError(.inUse, "a write cannot wait for another write on the writer's own thread")
        }
        let answer = Monitor<Result<R, any Error>?>(nil)
        write(body) { result in
            answer.withLock { $0 = result }
            answer.wakeAll()
        }
        return try answer.wait { $0 }.get()
    }

    /// Writes a compacted copy while others read and write, checks it and publishes it as `data.mdb`, readable only by
    /// the owner. A copy that was cut off never has that name.
    ///
    /// - Parameter folder: made when missing; must hold no `data.mdb` (`alreadyExists`).
    /// - Throws: `corrupted` when a page of the store is damaged, `inUse` while another backup is written to the folder:
    ///   nothing is written then.
    public func backup(toFolder folder: String) throws(LMDBError) {
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw .system("making the folder \(folder)") }
        try Self.refuseStore(in: folder)
        let damage = try damagedPages()
        guard damage.isEmpty else { throw StoreCheck(folder: store.configuration.path).damage(damage) }
        let staged = try StagedStore(in: folder)
        do throws(LMDBError) {
            // Another backup may have ended since.
            try Self.refuseStore(in: folder)
            try staged.copy(from: store)
            try staged.check(store.configuration)
            try staged.publish()
        } catch {
            staged.discard()
            throw error
        }
    }

    private static func refuseStore(in folder: String) throws(LMDBError) {
        guard access("\(folder)/data.mdb", F_OK) != 0 else {
            throw LMDBError(.alreadyExists, "\(folder) holds a data.mdb already: choose an empty folder")
        }
    }

    /// Opens LMDB anew, as after a write that broke it.
    func reopenForTesting() throws(LMDBError) {
        try store.reopen()
    }
}
