internal import CLMDB
internal import Glibc

/// Opens the LMDB environment of a locked folder with all tables, in one write transaction.
struct StoreOpening {
    let configuration: Environment.Configuration
    let tables: [TableDescription]
    let handles: TableHandles

    /// Nothing else may be set: WRITEMAP, NOSYNC and NOMETASYNC give up durability or protection of the map, and
    /// NOMEMINIT writes old memory into the file.
    private static let flags = MDB_NOTLS | MDB_NORDAHEAD

    func run() throws(LMDBError) -> (environment: OpaquePointer, metadata: StoreMetadata) {
        let pages = StoreCheck(folder: configuration.path)
        try pages.refuseWhatEndsTheProcess()
        if !configuration.readOnly { try reserveReaderTable() }
        var created: OpaquePointer?
        let result = mdb_env_create(&created)
        guard result == MDB_SUCCESS, let environment = created else { throw failure(result) }
        do throws(LMDBError) {
            try open(environment)
            try checkPages(environment, pages)
            return (environment, try configuration.readOnly ? readTables(environment) : makeTables(environment))
        } catch {
            mdb_env_close(environment)
            throw error
        }
    }

    /// A store that was just made has no tables yet, and passes.
    private func checkPages(_ environment: OpaquePointer, _ pages: StoreCheck) throws(LMDBError) {
        var damage = try pages.run(environment, .roots)
        if damage.isEmpty, configuration.checksPages { damage = try pages.run(environment, .all) }
        guard damage.isEmpty else { throw pages.damage(damage) }
    }

    private func failure(_ result: Int32) -> LMDBError {
        LMDBError(returnCode: result, doing: "opening the store in \(configuration.path)", folder: configuration.path)
    }

    private func check(_ result: Int32) throws(LMDBError) {
        guard result == MDB_SUCCESS else { throw failure(result) }
    }

    /// The reader table is written through a map: where the disk is full, a block that is not there yet would end the
    /// process by a signal.
    private func reserveReaderTable() throws(LMDBError) {
        let file = Glibc.open("\(configuration.path)/lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .system("opening lock.mdb in \(configuration.path)") }
        defer { close(file) }
        guard clmdb_reserve(file, (Int(configuration.maximumReaders) + 16) * 64) != 0 else { return }
        // Other answers: the file system cannot reserve.
        if errno == ENOSPC || errno == EDQUOT { throw .system("making room for lock.mdb in \(configuration.path)") }
    }

    private func open(_ environment: OpaquePointer) throws(LMDBError) {
        let pageSize = UInt64(sysconf(Int32(_SC_PAGESIZE)))
        let size = max(configuration.maximumSize / pageSize, 16) * pageSize
        try check(mdb_env_set_mapsize(environment, Int(clamping: size)))
        try check(mdb_env_set_maxreaders(environment, configuration.maximumReaders))
        try check(mdb_env_set_maxdbs(environment, UInt32(Set(tables).count)))
        let flags = Self.flags | (configuration.readOnly ? MDB_RDONLY : 0)
        try check(mdb_env_open(environment, configuration.path, UInt32(flags), 0o600))
        var dead: Int32 = 0
        if !configuration.readOnly { try check(mdb_reader_check(environment, &dead)) }
    }

    // MARK: Tables

    private func makeTables(_ environment: OpaquePointer) throws(LMDBError) -> StoreMetadata {
        var begun: OpaquePointer?
        var result = mdb_txn_begin(environment, nil, 0, &begun)
        if result == MDB_MAP_RESIZED {
            // Somebody with a larger map has written; nobody reads here yet.
            try check(mdb_env_set_mapsize(environment, 0))
            result = mdb_txn_begin(environment, nil, 0, &begun)
        }
        try check(result)
        guard let transaction = begun else { throw failure(MDB_PANIC) }
        let metadata: StoreMetadata
        do throws(LMDBError) {
            try growToSize(environment)
            try refuseForeign(transaction)
            for table in tables { try makeTable(table, in: transaction) }
            metadata = try acceptMetadata(in: transaction)
        } catch {
            mdb_txn_abort(transaction)
            throw error
        }
        try check(mdb_txn_commit(transaction))
        return metadata
    }

    /// A file that was cut short would end the process at the first look behind its end. With holes in place of what
    /// is missing LMDB finds damaged pages. Others cannot grow the file meanwhile: this holds the writer's lock.
    private func growToSize(_ environment: OpaquePointer) throws(LMDBError) {
        var information = MDB_envinfo()
        var statistics = MDB_stat()
        try check(mdb_env_info(environment, &information))
        try check(mdb_env_stat(environment, &statistics))
        let size = off_t(clamping: (UInt64(information.me_last_pgno) &+ 1) &* UInt64(statistics.ms_psize))
        var file: Int32 = -1
        try check(mdb_env_get_fd(environment, &file))
        var status = stat()
        guard fstat(file, &status) == 0 else { throw .system("looking at data.mdb") }
        guard status.st_size < size else { return }
        guard ftruncate(file, size) == 0 else { throw .system("restoring the size of data.mdb") }
    }

    /// Another program's environment is not ours to put tables into.
    private func refuseForeign(_ transaction: OpaquePointer) throws(LMDBError) {
        var root: UInt32 = 0
        var statistics = MDB_stat()
        try check(mdb_dbi_open(transaction, nil, 0, &root))
        try check(mdb_stat(transaction, root, &statistics))
        guard statistics.ms_entries > 0 else { return }
        var meta: UInt32 = 0
        let result = mdb_dbi_open(transaction, StoreMetadata.table.description.name, 0, &meta)
        guard result == MDB_NOTFOUND || result == MDB_INCOMPATIBLE else { return try check(result) }
        throw LMDBError(
            .notAnEnvironment, "\(configuration.path)/data.mdb belongs to another program: choose another data_dir")
    }

    private func makeTable(_ table: TableDescription, in transaction: OpaquePointer) throws(LMDBError) {
        var handle: UInt32 = 0
        try check(mdb_dbi_open(transaction, table.name, UInt32(MDB_CREATE), &handle))
        handles.numbers[table.number] = handle
    }

    private func acceptMetadata(in transaction: OpaquePointer) throws(LMDBError) -> StoreMetadata {
        let view = TransactionView(transaction: transaction, handles: handles)
        let found = try storedMetadata(view)
        var metadata = found?.record ?? StoreMetadata(schemaVersion: configuration.schemaVersion, revisionBase: 0)
        try metadata.refuseUnknown(supported: configuration.schemaVersion)
        if let found, found.revision >= metadata.revisionBase &+ view.transactionID {
            // Its transactions count from one again: somebody put a compacted copy here by hand.
            metadata.beginNewLife()
        }
        guard metadata != found?.record else { return metadata }
        try store(metadata, in: view)
        return metadata
    }

    private func storedMetadata(
        _ view: TransactionView
    ) throws(LMDBError) -> (record: StoreMetadata, revision: UInt64)? {
        do {
            return try StoreMetadata.table.getWithRevision(StoreMetadata.key, in: ReadTransaction(view: view))
        } catch {
            throw error as? LMDBError ?? LMDBError(.badRecord, "the table meta cannot be read: restore a backup")
        }
    }

    private func store(_ metadata: StoreMetadata, in view: TransactionView) throws(LMDBError) {
        let transaction = WriteTransaction(
            view: view, revisionBase: metadata.revisionBase, log: WriteTransaction.Log())
        do {
            try StoreMetadata.table.put(metadata, for: StoreMetadata.key, in: transaction)
        } catch {
            throw error as? LMDBError ?? LMDBError(.badRecord, "the table meta cannot be written")
        }
    }

    /// Without creating anything; what is missing reads as empty.
    private func readTables(_ environment: OpaquePointer) throws(LMDBError) -> StoreMetadata {
        var begun: OpaquePointer?
        try check(mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &begun))
        guard let transaction = begun else { throw failure(MDB_PANIC) }
        let metadata: StoreMetadata
        do throws(LMDBError) {
            for table in tables {
                var handle: UInt32 = 0
                let result = mdb_dbi_open(transaction, table.name, 0, &handle)
                if result != MDB_NOTFOUND { try check(result) }
                handles.numbers[table.number] = result == MDB_NOTFOUND ? TableHandles.absent : handle
            }
            let view = TransactionView(transaction: transaction, handles: handles)
            guard let found = try storedMetadata(view)?.record else {
                throw LMDBError(.notAnEnvironment, "\(configuration.path) holds no store of this program")
            }
            try found.refuseUnknown(supported: configuration.schemaVersion)
            metadata = found
        } catch {
            mdb_txn_abort(transaction)
            throw error
        }
        // Handles that were opened in a transaction stay only when it is committed.
        try check(mdb_txn_commit(transaction))
        return metadata
    }

    /// Raises the revision base of a store that was copied into a locked folder; see ``StoreMetadata``.
    func beginNewLife() throws(LMDBError) {
        let (environment, old) = try run()
        defer { mdb_env_close(environment) }
        var begun: OpaquePointer?
        try check(mdb_txn_begin(environment, nil, 0, &begun))
        guard let transaction = begun else { throw failure(MDB_PANIC) }
        var metadata = old
        metadata.beginNewLife()
        do throws(LMDBError) {
            try store(
                metadata, in: TransactionView(transaction: transaction, handles: handles))
        } catch {
            mdb_txn_abort(transaction)
            throw error
        }
        try check(mdb_txn_commit(transaction))
    }
}
