internal import CLMDB
internal import Glibc
internal import Synchronization

/// The opened LMDB environment: who may look at it when, and how it recovers. Everything public stands on it.
final class Store: Sendable {
    let configuration: Environment.Configuration
    let handles: TableHandles
    let gate = Gate()
    private let lastCommit = Atomic<UInt64>(0)

    // Written while the store is opened and while the gate is held exclusively; read inside of the gate.
    /// Goes with the end.
    private nonisolated(unsafe) var lock: FolderLock?
    private nonisolated(unsafe) var environment: OpaquePointer?
    private nonisolated(unsafe) var generation = 0
    nonisolated(unsafe) private(set) var metadata: StoreMetadata

    /// - Throws: everything that ``Environment/open(_:)`` does; nothing stays open then.
    init(_ configuration: Environment.Configuration, lock: FolderLock) throws(LMDBError) {
        self.configuration = configuration
        self.lock = lock
        let tables = configuration.tables + [StoreMetadata.table.description]
        handles = TableHandles(tables, folder: configuration.path)
        metadata = StoreMetadata(schemaVersion: configuration.schemaVersion, revisionBase: 0)
        let opened = try StoreOpening(configuration: configuration, tables: tables, handles: handles).run()
        environment = opened.environment
        metadata = opened.metadata
    }

    // MARK: Reading

    /// Renews the slot's transaction; ``endReading(_:)`` must follow.
    func beginReading(_ slot: GateSlot) throws(LMDBError) -> TransactionView {
        guard !slot.occupied.load(ordering: .relaxed) else {
            throw LMDBError(.inUse, "a reader was used within its own read")
        }
        var attempts = 0
        while true {
            try gate.enter(slot)
            let result = renew(slot)
            if result == MDB_SUCCESS, let transaction = slot.transaction { return view(transaction) }
            let seen = generation
            gate.leave(slot)
            attempts += 1
            try recover(result, generation: seen, attempts: attempts, doing: "beginning to read")
        }
    }

    func endReading(_ slot: GateSlot) {
        mdb_txn_reset(slot.transaction)
        gate.leave(slot)
    }

    /// Gives the slot's place in the reader table back.
    func discard(_ slot: GateSlot) {
        // After the end the transaction is gone already.
        guard (try? gate.enter(slot)) != nil else { return gate.remove(slot) }
        mdb_txn_abort(slot.transaction)
        slot.transaction = nil
        gate.leave(slot)
        gate.remove(slot)
    }

    private func renew(_ slot: GateSlot) -> Int32 {
        if let transaction = slot.transaction { return mdb_txn_renew(transaction) }
        guard let environment else { return MDB_PANIC }
        return mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &slot.transaction)
    }

    /// A read transaction of its own, for those who read seldom.
    func read<R>(_ body: (borrowing ReadTransaction) throws -> R) throws -> R {
        let slot = gate.makeSlot()
        defer { discard(slot) }
        let transaction = ReadTransaction(view: try beginReading(slot))
        defer { endReading(slot) }
        return try body(transaction)
    }

    // MARK: Writing

    /// Waits for other processes' writers; ``endWriting(_:)`` must follow.
    func beginWriting(_ slot: GateSlot) throws(LMDBError) -> OpaquePointer {
        var attempts = 0
        while true {
            try gate.enter(slot)
            var transaction: OpaquePointer?
            let result = environment.map { mdb_txn_begin($0, nil, 0, &transaction) } ?? MDB_PANIC
            if result == MDB_SUCCESS, let transaction { return transaction }
            let seen = generation
            gate.leave(slot)
            attempts += 1
            try recover(result, generation: seen, attempts: attempts, doing: "beginning to write")
        }
    }

    func beginChild(of parent: OpaquePointer) throws(LMDBError) -> OpaquePointer {
        var child: OpaquePointer?
        let result = mdb_txn_begin(environment, parent, 0, &child)
        guard result == MDB_SUCCESS, let child else { throw failure(result, "beginning a child transaction") }
        return child
    }

    func commit(_ transaction: OpaquePointer) throws(LMDBError) {
        let result = mdb_txn_commit(transaction)
        guard result == MDB_SUCCESS else { throw failure(result, "committing") }
    }

    func commitGroup(_ transaction: OpaquePointer) throws(LMDBError) {
        let start = ContinuousClock.now
        try commit(transaction)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        lastCommit.store(seconds.bitPattern, ordering: .relaxed)
    }

    func endWriting(_ slot: GateSlot) {
        gate.leave(slot)
    }

    func view(_ transaction: OpaquePointer) -> TransactionView {
        TransactionView(transaction: transaction, handles: handles)
    }

    func failure(_ result: Int32, _ doing: String) -> LMDBError {
        LMDBError(returnCode: result, doing: doing, folder: configuration.path)
    }

    // MARK: Looking from outside

    /// - Returns: nil when the store is closed.
    func lastTransactionID(_ slot: GateSlot? = nil) -> UInt64? {
        var information = MDB_envinfo()
        guard inside(slot, { mdb_env_info($0, &information) == MDB_SUCCESS }) == true else { return nil }
        return UInt64(information.me_last_txnid)
    }

    func information(queued: Int) -> Environment.Information {
        var information = MDB_envinfo()
        var statistics = MDB_stat()
        var schemaVersion: UInt16 = 0
        _ = inside(nil) {
            mdb_env_info($0, &information)
            mdb_env_stat($0, &statistics)
            schemaVersion = metadata.schemaVersion
        }
        return Environment.Information(
            mapBytes: UInt64(information.me_mapsize),
            usedBytes: (UInt64(information.me_last_pgno) &+ 1) &* UInt64(statistics.ms_psize),
            readers: information.me_numreaders, lastTransactionID: UInt64(information.me_last_txnid),
            writeQueueDepth: queued,
            lastCommitSeconds: Double(bitPattern: lastCommit.load(ordering: .relaxed)),
            schemaVersion: schemaVersion)
    }

    /// Runs `body` while the map stays where it is; nil when the store is closed.
    func inside<R>(_ slot: GateSlot?, _ body: (OpaquePointer) -> R) -> R? {
        if let slot {
            // Within its own read the slot is inside already.
            if slot.occupied.load(ordering: .relaxed) { return environment.map(body) }
            guard (try? gate.enter(slot)) != nil else { return nil }
            defer { gate.leave(slot) }
            return environment.map(body)
        }
        guard (try? gate.enter()) != nil else { return nil }
        defer { gate.leave() }
        return environment.map(body)
    }

    // MARK: Recovering

    /// Returns when it is worth trying again.
    private func recover(_ result: Int32, generation: Int, attempts: Int, doing: String) throws(LMDBError) {
        guard attempts < 4 else { throw failure(result, doing) }
        switch result {
        case MDB_MAP_RESIZED: try adoptSize()
        case MDB_READERS_FULL:
            var dead: Int32 = 0
            guard inside(nil, { mdb_reader_check($0, &dead) }) == MDB_SUCCESS, dead > 0 else {
                throw failure(result, doing)
            }
        case MDB_PANIC: try reopen(generation)
        default: throw failure(result, doing)
        }
    }

    /// Another process has a larger map and has filled more than ours.
    private func adoptSize() throws(LMDBError) {
        var result: Int32 = MDB_SUCCESS
        let isDone = gate.exclusively(within: 250) { _ in
            // Zero: the size that the other process has written into the file.
            if let environment { result = mdb_env_set_mapsize(environment, 0) }
        }
        guard isDone else {
            throw LMDBError(.mapResized, "another process made the map larger and readers did not end in time")
        }
        guard result == MDB_SUCCESS else { throw failure(result, "adopting the new size of the map") }
    }

    /// After a failed write of LMDB's meta page the environment refuses everything until it is opened anew.
    func reopen(_ seen: Int? = nil) throws(LMDBError) {
        var failure: LMDBError?
        let isDone = gate.exclusively(within: 250) { slots in
            if let seen, seen != generation { return }
            shut(slots)
            do throws(LMDBError) {
                let tables = configuration.tables + [StoreMetadata.table.description]
                let opened = try StoreOpening(configuration: configuration, tables: tables, handles: handles).run()
                environment = opened.environment
                metadata = opened.metadata
                generation += 1
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard isDone else { throw LMDBError(.io, "the store has to be opened anew and readers did not end in time") }
    }

    /// Waits for readers, then ends every use. A reader that does not end within ten seconds keeps its map.
    func close() {
        _ = gate.exclusively(within: 10_000, ending: true) { slots in
            shut(slots)
            lock = nil
        }
    }

    private func shut(_ slots: [GateSlot]) {
        for slot in slots {
            mdb_txn_abort(slot.transaction)
            slot.transaction = nil
        }
        if let environment { mdb_env_close(environment) }
        environment = nil
    }
}
