internal import CLMDB
internal import Glibc

/// One change that a write closure made.
public struct Change: Sendable, Equatable {
    /// What was done.
    public enum Operation: Sendable, Equatable {
        /// The value that was stored, header included.
        case put([UInt8])
        /// The row was removed.
        case delete
        /// Every row of the table was removed; the key is empty.
        case removeAll
    }

    /// The name of the table.
    public let table: String
    /// The encoded key.
    public let key: [UInt8]
    /// What was done.
    public let operation: Operation
}

/// A write transaction, valid within the closure that it was given to. It sees its own changes. A closure that throws
/// leaves nothing behind.
public struct WriteTransaction: ~Copyable, ReadableTransaction {
    final class Log {
        var changes: [Change] = []
        /// A failed write spoils its transaction, also when the closure swallows the error.
        var failure: LMDBError?
    }

    public let view: TransactionView
    let revision: UInt64
    let log: Log

    init(view: TransactionView, revisionBase: UInt64, log: Log) {
        self.view = view
        self.log = log
        revision = revisionBase &+ view.transactionID
    }

    public var transactionID: UInt64 { view.transactionID }

    /// What was changed so far, in order. Replaying it on the same state gives the same store.
    public var changes: [Change] { log.changes }

    /// - Returns: false when `flags` forbid to overwrite and the row is there.
    func put(
        _ value: [UInt8], key: UnsafeRawBufferPointer, in table: TableDescription, flags: Int32 = 0
    ) throws(LMDBError) -> Bool {
        guard let handle = try view.handles[table] else { throw readOnly }
        guard TransactionView.canExist(key) else {
            throw noted(LMDBError(.keyTooLong, "a key of table \(table.name) has \(key.count) bytes: 1 to 511 fit"))
        }
        var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
        let result = value.withUnsafeBytes { bytes in
            var stored = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            return mdb_put(view.transaction, handle, &name, &stored, UInt32(flags))
        }
        if result == MDB_KEYEXIST, flags == MDB_NOOVERWRITE { return false }
        guard result == MDB_SUCCESS else { throw noted(view.failure(result, "writing", table)) }
        log.changes.append(Change(table: table.name, key: Array(key), operation: .put(value)))
        return true
    }

    func delete(key: UnsafeRawBufferPointer, in table: TableDescription) throws(LMDBError) -> Bool {
        guard let handle = try view.handles[table] else { throw readOnly }
        guard TransactionView.canExist(key) else { return false }
        var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
        let result = mdb_del(view.transaction, handle, &name, nil)
        if result == MDB_NOTFOUND { return false }
        guard result == MDB_SUCCESS else { throw noted(view.failure(result, "deleting from", table)) }
        log.changes.append(Change(table: table.name, key: Array(key), operation: .delete))
        return true
    }

    func removeAll(in table: TableDescription) throws(LMDBError) {
        guard let handle = try view.handles[table] else { throw readOnly }
        let result = mdb_drop(view.transaction, handle, 0)
        guard result == MDB_SUCCESS else { throw noted(view.failure(result, "emptying", table)) }
        log.changes.append(Change(table: table.name, key: [], operation: .removeAll))
    }

    private var readOnly: LMDBError { LMDBError(.readOnly, "the store was opened for reading only") }

    private func noted(_ failure: LMDBError) -> LMDBError {
        if log.failure == nil { log.failure = failure }
        return failure
    }
}
