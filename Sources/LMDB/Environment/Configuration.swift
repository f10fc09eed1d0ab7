extension Environment {
    /// How a store is opened.
    public struct Configuration: Sendable {
        /// What others may do meanwhile.
        public enum Access: Sendable {
            /// Other processes have the store open too.
            case shared
            /// Nobody else; refused with `inUse` while somebody has it open.
            case exclusive
        }

        /// The data folder, which must exist: `data.mdb`, `lock.mdb` and `gatehouse.lock` are in it.
        public var path: String
        /// Bytes of address space, and the most that the store can grow to; the same for every process.
        public var maximumSize: UInt64
        /// Read transactions at once, of all processes.
        public var maximumReaders: UInt32
        /// Whether others may have the store open.
        public var access: Access
        /// Creates nothing and refuses writes.
        public var readOnly: Bool
        /// Holds every page against the format first, which takes a while: for a file that may be damaged.
        public var checksPages: Bool
        /// A copy that nobody writes: it may lie on a network file system too.
        public var isBackup: Bool
        /// The schema that this program writes; it opens this one and the one before.
        public var schemaVersion: UInt16
        /// All tables; none can be opened later.
        public var tables: [TableDescription]
        /// Write closures that may wait; more are refused with `overloaded`.
        public var maximumQueuedWrites: Int
        /// A group is committed after so many closures …
        public var groupLimit: Int
        /// … or after so much work, or when nothing waits.
        public var groupDuration: Duration
        /// Called on the writer's thread after each commit, in order, with what each closure of the group changed;
        /// must not block.
        public var committed: (@Sendable (_ transactionID: UInt64, _ changes: [[Change]]) -> Void)?

        /// What is not named keeps the store's usual value.
        public init(
            path: String, maximumSize: UInt64, maximumReaders: UInt32 = 1024, access: Access = .shared,
            readOnly: Bool = false, schemaVersion: UInt16, tables: [TableDescription]
        ) {
            self.path = path
            self.maximumSize = maximumSize
            self.maximumReaders = maximumReaders
            self.access = access
            self.readOnly = readOnly
            self.schemaVersion = schemaVersion
            self.tables = tables
            maximumQueuedWrites = 16384
            groupLimit = 64
            groupDuration = .milliseconds(2)
            checksPages = false
            isBackup = false
            committed = nil
        }
    }

    /// What an environment says about itself, for metrics.
    public struct Information: Sendable, Equatable {
        /// The size of the map: the most that the store can hold.
        public var mapBytes: UInt64
        /// How far the file is in use, free pages within it included.
        public var usedBytes: UInt64
        /// Places of the reader table that were ever taken at once, in all processes.
        public var readers: UInt32
        /// The last committed write, in all processes.
        public var lastTransactionID: UInt64
        /// Write closures that wait.
        public var writeQueueDepth: Int
        /// How long the last commit of this process took; zero before the first.
        public var lastCommitSeconds: Double
        /// The schema version of the store.
        public var schemaVersion: UInt16
    }
}
