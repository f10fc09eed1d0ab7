internal import CLMDB
internal import Glibc

/// Holds a store's file against LMDB's format before LMDB reads it.
struct StoreCheck {
    enum Scope {
        /// What opening touches.
        case roots
        /// Everything.
        case all
        /// All pages of these tables.
        case tables(Set<String>)
    }

    let folder: String
    private var path: String { "\(folder)/data.mdb" }

    /// Before the file is opened at all. Without a file, or with one of somebody else, there is nothing to refuse here.
    ///
    /// - Throws: `corrupted`.
    func refuseWhatEndsTheProcess() throws(LMDBError) {
        guard let file = try PageFile(path: path) else { return }
        do throws(PageDamage) {
            for meta in try file.metaPages() where meta.lastPage > meta.mapBytes / UInt64(file.pageSize) {
                throw PageDamage(meta.lastPage, "lies behind the end of the map")
            }
        } catch {
            throw damage([error.text])
        }
    }

    /// - Parameter environment: opened; it is kept from using pages again while they are looked at.
    /// - Returns: a sentence for each tree that is damaged.
    func run(_ environment: OpaquePointer, _ scope: Scope) throws(LMDBError) -> [String] {
        guard let file = try PageFile(path: path) else {
            throw LMDBError(.notAnEnvironment, "\(path) is no store (restore a backup)")
        }
        // Which pages a state begins at is on the two newest meta pages only, and others may commit meanwhile.
        for _ in 0..<1000 {
            var begun: OpaquePointer?
            var result = mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &begun)
            if result == MDB_MAP_RESIZED {
                // Only while it is being opened: nobody else reads here yet.
                guard case .roots = scope else { throw failure(result) }
                result = mdb_env_set_mapsize(environment, 0)
                guard result == MDB_SUCCESS else { throw failure(result) }
                continue
            }
            guard result == MDB_SUCCESS, let transaction = begun else { throw failure(result) }
            defer { mdb_txn_abort(transaction) }
            let state = UInt64(mdb_txn_id(transaction))
            let metaPages: [MetaPage]
            do throws(PageDamage) {
                metaPages = try file.metaPages()
            } catch {
                return [error.text]
            }
            guard let meta = metaPages.first(where: { $0.transactionID == state }) else { continue }
            // The file may have grown since it was looked at.
            guard let grown = try PageFile(path: path) else { continue }
            var walk = PageWalk(grown, meta)
            switch scope {
            case .roots:
                // What is missing at the end would be filled with zeros, and look like a value; mostly it is free pages
                // that were never written.
                if meta.lastPage >= grown.count { return walk.check(nil) }
                return walk.checkRoots().map { [$0] } ?? []
            case .all: return walk.check(nil)
            case .tables(let names): return walk.check(names)
            }
        }
        throw LMDBError(.inUse, "the store in \(folder) changes too fast to be checked: try again")
    }

    func damage(_ problems: [String]) -> LMDBError {
        LMDBError(
            .corrupted, "the store in \(folder) is damaged: \(problems.joined(separator: "; ")) (restore a backup)")
    }

    private func failure(_ result: Int32) -> LMDBError {
        LMDBError(returnCode: result, doing: "checking the store in \(folder)", folder: folder)
    }
}

extension Environment {
    /// Holds every page of a store against the format, those that are free included, while others read and write.
    ///
    /// - Parameter tables: nil: all.
    /// - Returns: a sentence for each table that is damaged. Reading such a table may end the process.
    public func damagedPages(in tables: [TableDescription]? = nil) throws(LMDBError) -> [String] {
        try store.damagedPages(tables.map { .tables(Set($0.map(\.name))) } ?? .all)
    }
}

extension Store {
    func damagedPages(_ scope: StoreCheck.Scope) throws(LMDBError) -> [String] {
        let result = inside(nil) { environment in
            Result { () throws(LMDBError) in
                try StoreCheck(folder: configuration.path).run(environment, scope)
            }
        }
        guard let result else { throw Gate.closedError }
        return try result.get()
    }
}
