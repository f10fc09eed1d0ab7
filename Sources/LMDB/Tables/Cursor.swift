internal import CLMDB
internal import Glibc

/// Walks one table within one transaction; closed with its last use.
struct Cursor: ~Copyable {
    typealias Row = (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)

    private let cursor: OpaquePointer
    private let view: TransactionView
    private let table: TableDescription

    /// - Returns: nil when the table is absent from a store that can only be read.
    init?(_ table: TableDescription, in view: TransactionView) throws(LMDBError) {
        guard let handle = try view.handles[table] else { return nil }
        var opened: OpaquePointer?
        let result = mdb_cursor_open(view.transaction, handle, &opened)
        guard result == MDB_SUCCESS, let opened else { throw view.failure(result, "scanning", table) }
        cursor = opened
        self.view = view
        self.table = table
    }

    deinit {
        mdb_cursor_close(cursor)
    }

    func move(_ operation: MDB_cursor_op) throws(LMDBError) -> Row? {
        var key = MDB_val()
        return try get(operation, &key)
    }

    /// The first row whose key is not smaller.
    func first(notBefore key: UnsafeRawBufferPointer) throws(LMDBError) -> Row? {
        // LMDB takes no empty key, and what is longer than any key sorts behind its first 511 bytes.
        guard !key.isEmpty else { return try move(MDB_FIRST) }
        let shortened = min(key.count, 511)
        var name = MDB_val(mv_size: shortened, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
        let row = try get(MDB_SET_RANGE, &name)
        guard shortened < key.count, let row, Self.order(row.key, key) < 0 else { return row }
        return try move(MDB_NEXT)
    }

    /// The last row whose key is not greater.
    func last(notAfter key: UnsafeRawBufferPointer) throws(LMDBError) -> Row? {
        guard let row = try first(notBefore: key) else { return try move(MDB_LAST) }
        return Self.order(row.key, key) == 0 ? row : try move(MDB_PREV)
    }

    /// The last row whose key begins with `prefix` (or sorts before all that do).
    func last(beginningWith prefix: [UInt8]) throws -> Row? {
        var successor = prefix
        while let byte = successor.popLast() {
            guard byte < 255 else { continue }
            successor.append(byte + 1)
            let found = try successor.withUnsafeBytes { try first(notBefore: $0) }
            return try move(found == nil ? MDB_LAST : MDB_PREV)
        }
        return try move(MDB_LAST)
    }

    /// Negative, zero or positive, as LMDB sorts.
    static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let common = min(left.count, right.count)
        if common > 0, let first = left.baseAddress, let second = right.baseAddress {
            let difference = memcmp(first, second, common)
            if difference != 0 { return Int(difference) }
        }
        return left.count - right.count
    }

    private func get(_ operation: MDB_cursor_op, _ key: inout MDB_val) throws(LMDBError) -> Row? {
        var value = MDB_val()
        let result = mdb_cursor_get(cursor, &key, &value, operation)
        if result == MDB_NOTFOUND { return nil }
        guard result == MDB_SUCCESS else { throw view.failure(result, "scanning", table) }
        return (
            UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size),
            UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
        )
    }
}
