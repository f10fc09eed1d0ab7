internal import CLMDB

extension Table {
    /// Hands the rows to `body` in the order of their encoded keys, until it returns false.
    ///
    /// - Parameters:
    ///   - prefix: only keys that begin with these bytes (``KeyPair/prefix(_:)``).
    ///   - from: where to begin, inclusive: the first key not smaller, or backwards the first not greater.
    ///   - reversed: backwards.
    ///   - body: gets the key, the record and the stored bytes behind the header, which lie in the map and must not
    ///     outlive the call. It must not write to this table: collect the keys and write afterwards.
    public func forEach<T: ReadableTransaction & ~Copyable>(
        prefix: [UInt8] = [], from: Key? = nil, reversed: Bool = false, in transaction: borrowing T,
        _ body: (Key, Record, UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        try scan(prefix: prefix, from: from, reversed: reversed, view: transaction.view) { row in
            try body(try decodeKey(row.key), try decode(row.value), RecordHeader.body(of: row.value))
        }
    }

    /// The keys in order, without their records.
    ///
    /// - Parameter limit: at most so many.
    public func keys<T: ReadableTransaction & ~Copyable>(
        prefix: [UInt8] = [], from: Key? = nil, reversed: Bool = false, limit: Int = .max, in transaction: borrowing T
    ) throws -> [Key] {
        var keys: [Key] = []
        guard limit > 0 else { return keys }
        try scan(prefix: prefix, from: from, reversed: reversed, view: transaction.view) { row in
            keys.append(try decodeKey(row.key))
            return keys.count < limit
        }
        return keys
    }

    /// Decodes every row, and goes on behind those that cannot be.
    ///
    /// - Returns: how many cannot.
    public func unreadableRows<T: ReadableTransaction & ~Copyable>(in transaction: borrowing T) throws -> Int {
        var count = 0
        try scan(prefix: [], from: nil, reversed: false, view: transaction.view) { row in
            do {
                // One row of that table is this room's own.
                if description == StoreMetadata.table.description, row.key.elementsEqual(StoreMetadata.key.utf8) {
                    _ = try StoreMetadata.table.decode(row.value)
                    return true
                }
                _ = try decodeKey(row.key)
                _ = try decode(row.value)
            } catch {
                count += 1
            }
            return true
        }
        return count
    }

    /// The row with the smallest key.
    public func first<T: ReadableTransaction & ~Copyable>(in transaction: borrowing T) throws -> (Key, Record)? {
        try end(MDB_FIRST, view: transaction.view)
    }

    /// The row with the greatest key.
    public func last<T: ReadableTransaction & ~Copyable>(in transaction: borrowing T) throws -> (Key, Record)? {
        try end(MDB_LAST, view: transaction.view)
    }

    private func end(_ operation: MDB_cursor_op, view: TransactionView) throws -> (Key, Record)? {
        guard let cursor = try Cursor(description, in: view), let row = try cursor.move(operation) else { return nil }
        return (try decodeKey(row.key), try decode(row.value))
    }

    private func scan(
        prefix: [UInt8], from: Key?, reversed: Bool, view: TransactionView, _ body: (Cursor.Row) throws -> Bool
    ) throws {
        guard let cursor = try Cursor(description, in: view) else { return }
        var row = try start(cursor, prefix: prefix, from: from?.encoded, reversed: reversed)
        while let current = row {
            guard current.key.starts(with: prefix), try body(current) else { return }
            row = try cursor.move(reversed ? MDB_PREV : MDB_NEXT)
        }
    }

    private func start(
        _ cursor: borrowing Cursor, prefix: [UInt8], from: [UInt8]?, reversed: Bool
    ) throws -> Cursor.Row? {
        // A `from` outside of the prefix's rows is as good as their nearer end, or finds nothing.
        if let from {
            let isBefore = from.lexicographicallyPrecedes(prefix)
            let isInside = from.starts(with: prefix)
            if isInside || (isBefore == reversed) {
                return try from.withUnsafeBytes {
                    try reversed ? cursor.last(notAfter: $0) : cursor.first(notBefore: $0)
                }
            }
        }
        if reversed { return try cursor.last(beginningWith: prefix) }
        return try prefix.withUnsafeBytes { try cursor.first(notBefore: $0) }
    }

    private func decodeKey(_ bytes: UnsafeRawBufferPointer) throws(LMDBError) -> Key {
        guard let key = Key.decode(bytes) else {
            throw LMDBError(.badRecord, "a key of table \(description.name) is not as this version writes them")
        }
        return key
    }
}
