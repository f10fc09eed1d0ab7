internal import CLMDB
internal import Glibc

/// A typed table of the store. Tables are values without state; the same one serves every environment that declared it.
public struct Table<Key: TableKey, Record: TableRecord>: Sendable {
    /// What the environment has to be opened with.
    public let description: TableDescription

    /// - Parameter name: the table's name in the store, unique.
    public init(_ name: String) {
        description = TableDescription(name)
    }

    /// The record, or nil when there is no such row (or the key is one that cannot be stored).
    ///
    /// - Throws: ``LMDBError`` (`badRecord`, `schemaTooNew`, …) or what the record's decoding throws.
    public func get<T: ReadableTransaction & ~Copyable>(_ key: Key, in transaction: borrowing T) throws -> Record? {
        let view = transaction.view
        return try key.withEncoded { bytes in
            guard let value = try view.value(in: description, key: bytes) else { return nil }
            return try decode(value)
        }
    }

    /// The row's revision, without decoding it; nil when there is no such row. The revision differs whenever the row
    /// was written by another transaction; nothing else may be concluded from it.
    public func revision<T: ReadableTransaction & ~Copyable>(
        of key: Key, in transaction: borrowing T
    ) throws -> UInt64? {
        let view = transaction.view
        return try key.withEncoded { bytes in
            guard let value = try view.value(in: description, key: bytes) else { return nil }
            return try header(of: value).revision
        }
    }

    /// Whether the row was written by this very transaction (or another one of its group).
    public func isNew(_ key: Key, in transaction: borrowing WriteTransaction) throws -> Bool {
        try revision(of: key, in: transaction) == transaction.revision
    }

    /// The record with its revision.
    public func getWithRevision<T: ReadableTransaction & ~Copyable>(
        _ key: Key, in transaction: borrowing T
    ) throws -> (record: Record, revision: UInt64)? {
        let view = transaction.view
        return try key.withEncoded { bytes in
            guard let value = try view.value(in: description, key: bytes) else { return nil }
            return (try decode(value), try header(of: value).revision)
        }
    }

    /// How many rows there are, without reading them.
    public func count<T: ReadableTransaction & ~Copyable>(in transaction: borrowing T) throws -> Int {
        try transaction.view.count(of: description)
    }

    /// Stores a row, in place of one with the same key.
    ///
    /// - Throws: ``LMDBError`` (`mapFull`, `keyTooLong`, …); the closure's changes are then lost even if it goes on.
    public func put(_ record: Record, for key: Key, in transaction: borrowing WriteTransaction) throws {
        _ = try write(record, for: key, in: transaction, flags: 0)
    }

    /// Stores a row unless there is one with this key.
    ///
    /// - Returns: false when there was one, which stays as it is.
    public func insert(_ record: Record, for key: Key, in transaction: borrowing WriteTransaction) throws -> Bool {
        try write(record, for: key, in: transaction, flags: MDB_NOOVERWRITE)
    }

    /// Stores a row behind all others; fills pages wholly where keys only grow (sequence numbers).
    ///
    /// - Throws: `outOfOrder` when the key is not greater than the last one.
    public func append(_ record: Record, for key: Key, in transaction: borrowing WriteTransaction) throws {
        _ = try write(record, for: key, in: transaction, flags: MDB_APPEND)
    }

    /// Removes a row.
    ///
    /// - Returns: false when there was none.
    @discardableResult
    public func delete(_ key: Key, in transaction: borrowing WriteTransaction) throws -> Bool {
        try key.withEncoded { bytes in try transaction.delete(key: bytes, in: description) }
    }

    /// Removes every row.
    public func removeAll(in transaction: borrowing WriteTransaction) throws {
        try transaction.removeAll(in: description)
    }

    private func write(
        _ record: Record, for key: Key, in transaction: borrowing WriteTransaction, flags: Int32
    ) throws -> Bool {
        var value: [UInt8] = []
        RecordHeader.append(schema: Record.schema, revision: transaction.revision, to: &value)
        try record.encode(into: &value)
        return try key.withEncoded { bytes in
            try transaction.put(value, key: bytes, in: description, flags: flags)
        }
    }

    func header(of value: UnsafeRawBufferPointer) throws(LMDBError) -> RecordHeader {
        guard let header = RecordHeader(value) else {
            throw LMDBError(.badRecord, "a value of table \(description.name) is cut short: restore a backup")
        }
        return header
    }

    func decode(_ value: UnsafeRawBufferPointer) throws -> Record {
        let header = try header(of: value)
        guard header.schema <= Record.schema else {
            throw LMDBError(
                .schemaTooNew,
                "a value of table \(description.name) has schema \(header.schema), this version knows \(Record.schema)")
        }
        return try Record(decoding: RecordHeader.body(of: value))
    }
}
