internal import LMDB

/// A table, whatever it holds.
struct StoredTable: Sendable {
    let description: TableDescription
    private let count: @Sendable (borrowing ReadTransaction) throws -> Int

    init<Key: SendableMetatype, Record: SendableMetatype>(_ table: Table<Key, Record>) {
        description = table.description
        count = { try table.unreadableRows(in: $0) }
    }

    /// How many of its rows this version cannot decode.
    func unreadableRows(in transaction: borrowing ReadTransaction) throws -> Int { try count(transaction) }
}
