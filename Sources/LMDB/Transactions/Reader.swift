/// Reads on one event loop: a place in LMDB's reader table that is kept, so a read costs no system call. Not for two
/// threads at once, and not within its own read.
public final class Reader {
    private let store: Store
    // While a reader lives its environment is not closed behind it by being forgotten.
    private let environment: Environment
    private let slot: GateSlot

    init(store: Store, keeping environment: Environment) throws(LMDBError) {
        self.store = store
        self.environment = environment
        slot = store.gate.makeSlot()
        // Takes its place now: later there may be none left.
        do throws(LMDBError) {
            _ = try store.beginReading(slot)
        } catch {
            store.gate.remove(slot)
            throw error
        }
        store.endReading(slot)
    }

    deinit {
        store.discard(slot)
    }

    /// Lends the newest snapshot to `body`, which must not keep anything of it and never waits.
    ///
    /// - Throws: ``LMDBError`` (`closed`, `inUse` within its own read, `mapResized`, …) or what `body` throws.
    public func read<R>(_ body: (borrowing ReadTransaction) throws -> R) throws -> R {
        let transaction = ReadTransaction(view: try store.beginReading(slot))
        defer { store.endReading(slot) }
        return try body(transaction)
    }

    /// The number of the last committed write of any process; zero when the store is closed. As long as it is
    /// unchanged nothing in the store is.
    public var lastTransactionID: UInt64 { store.lastTransactionID(slot) ?? 0 }
}
