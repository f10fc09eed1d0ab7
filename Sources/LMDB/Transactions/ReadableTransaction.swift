internal import CLMDB
internal import Glibc

/// A transaction that tables can be read in: a snapshot, or a write transaction with its own changes.
public protocol ReadableTransaction: ~Copyable {
    /// The store's state that is seen: the number of the last committed write, or of the one being made.
    var transactionID: UInt64 { get }
    /// What the tables read through.
    var view: TransactionView { get }
}

/// One state of the store, valid within the closure that it was given to.
public struct ReadTransaction: ~Copyable, ReadableTransaction {
    public let view: TransactionView

    init(view: TransactionView) {
        self.view = view
    }

    public var transactionID: UInt64 { view.transactionID }
}

/// An LMDB transaction as the tables use it.
public struct TransactionView {
    let transaction: OpaquePointer
    // The transaction's owner keeps them; counting references would cost every read.
    unowned(unsafe) let handles: TableHandles

    var transactionID: UInt64 { UInt64(mdb_txn_id(transaction)) }

    /// The value in the map, header included; valid until the transaction ends or writes.
    @inline(__always)
    func value(in table: TableDescription, key: UnsafeRawBufferPointer) throws(LMDBError) -> UnsafeRawBufferPointer? {
        guard let handle = try handles[table], Self.canExist(key) else { return nil }
        var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
        var found = MDB_val()
        let result = mdb_get(transaction, handle, &name, &found)
        if result == MDB_SUCCESS { return UnsafeRawBufferPointer(start: found.mv_data, count: found.mv_size) }
        guard result == MDB_NOTFOUND else { throw failure(result, "reading", table) }
        return nil
    }

    func count(of table: TableDescription) throws(LMDBError) -> Int {
        guard let handle = try handles[table] else { return 0 }
        var statistics = MDB_stat()
        let result = mdb_stat(transaction, handle, &statistics)
        guard result == MDB_SUCCESS else { throw failure(result, "counting", table) }
        return Int(statistics.ms_entries)
    }

    /// A longer or an empty key is in no table.
    static func canExist(_ key: UnsafeRawBufferPointer) -> Bool {
        key.count > 0 && key.count <= 511
    }

    func failure(_ result: Int32, _ doing: String, _ table: TableDescription) -> LMDBError {
        LMDBError(returnCode: result, doing: "\(doing) table \(table.name)", folder: handles.folder)
    }
}

/// The LMDB handles of an environment's tables, by the number of their descriptions.
final class TableHandles: Sendable {
    static let undeclared = UInt32.max
    /// Declared, and not in a store that can only be read: as good as empty.
    static let absent = UInt32.max - 1

    // Written while the environment is opened, before anybody can read; by number.
    nonisolated(unsafe) let numbers: UnsafeMutableBufferPointer<UInt32>
    /// Where the store is.
    let folder: String

    init(_ tables: [TableDescription], folder: String) {
        self.folder = folder
        let count = (tables.map(\.number).max() ?? -1) + 1
        numbers = .allocate(capacity: count)
        numbers.initialize(repeating: Self.undeclared)
    }

    deinit {
        numbers.deallocate()
    }

    subscript(table: TableDescription) -> UInt32? {
        @inline(__always)
        get throws(LMDBError) {
            let handle = table.number < numbers.count ? numbers[table.number] : Self.undeclared
            if handle < Self.absent { return handle }
            guard handle == Self.absent else {
                throw LMDBError(.unknownTable, "table \(table.name) was not declared when the store was opened")
            }
            return nil
        }
    }
}
