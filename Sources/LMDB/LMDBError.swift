internal import CLMDB
internal import Glibc

/// What went wrong in the store and how to mend it. Two errors are equal when their codes are.
public struct LMDBError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Code: String, Sendable, CaseIterable {
        /// The map (`store.max_size`) has no free page left; reads go on.
        case mapFull
        /// The disk has no room left; reads go on, and writes again once there is room.
        case diskFull
        /// A page or a table is damaged.
        case corrupted
        /// The file is no LMDB environment, or none of ours.
        case notAnEnvironment
        /// The file was written by another LMDB format version.
        case versionMismatch
        /// This process has the folder open already.
        case alreadyOpen
        /// More readers at once than `maximumReaders`.
        case readersFull
        /// The store, or one record, was written by a newer version of the program.
        case schemaTooNew
        /// The store is more than one schema version behind.
        case schemaTooOld
        /// The folder is on a network file system.
        case networkFileSystem
        /// A process in another PID namespace holds the folder.
        case foreignServer
        /// Somebody else holds it (a lock on the folder, a reader within its own read).
        case inUse
        /// The operating system refused something; `cause` is its errno.
        case io
        /// The environment was closed.
        case closed
        /// The write queue is full; nothing was written.
        case overloaded
        /// A key is empty or longer than 511 bytes.
        case keyTooLong
        /// A stored key or value cannot be decoded.
        case badRecord
        /// The table was not declared when the environment was opened.
        case unknownTable
        /// One write closure changed more pages than a transaction can hold.
        case transactionTooLarge
        /// Another process made the map larger, and readers were too busy to adopt it.
        case mapResized
        /// The environment was opened for reading only.
        case readOnly
        /// The target folder of a backup holds a store already.
        case alreadyExists
        /// An appended key is not greater than the last one.
        case outOfOrder
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// What went wrong and how to mend it; holds no key and no value.
    public let message: String
    /// LMDB's return code or errno, where there is one.
    public let cause: Int32?

    init(_ code: Code, _ message: String, cause: Int32? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// - Parameters:
    ///   - doing: completes "while …".
    ///   - folder: where to look whether the disk is full: a write that was cut short comes back as `EIO`.
    init(returnCode: Int32, doing: String, folder: String? = nil) {
        var code = Self.code(of: returnCode)
        if returnCode == EIO, let folder, DiskSpace.isExhausted(folder) { code = .diskFull }
        let text = mdb_strerror(returnCode).map { String(cString: $0) } ?? "error \(returnCode)"
        self.init(code, "while \(doing): \(text)\(Self.remedy(for: code))", cause: returnCode)
    }

    /// From `errno`, which must not have been touched since the failed call.
    static func system(_ doing: String) -> LMDBError {
        LMDBError(returnCode: errno, doing: doing)
    }

    public static func == (left: LMDBError, right: LMDBError) -> Bool {
        left.code == right.code
    }

    public var description: String { "\(code.rawValue): \(message)" }

    private static func code(of returnCode: Int32) -> Code {
        switch returnCode {
        case MDB_MAP_FULL: .mapFull
        case ENOSPC, EDQUOT, EFBIG: .diskFull
        case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INCOMPATIBLE, MDB_CURSOR_FULL, MDB_PAGE_FULL: .corrupted
        case MDB_INVALID: .notAnEnvironment
        case MDB_VERSION_MISMATCH: .versionMismatch
        case MDB_READERS_FULL: .readersFull
        case MDB_MAP_RESIZED: .mapResized
        case MDB_TXN_FULL: .transactionTooLarge
        case MDB_BAD_VALSIZE: .keyTooLong
        case MDB_BAD_DBI, MDB_DBS_FULL: .unknownTable
        case MDB_KEYEXIST: .outOfOrder
        default: .io
        }
    }

    private static func remedy(for code: Code) -> String {
        switch code {
        case .mapFull: " (raise store.max_size and restart)"
        case .diskFull: " (the disk is full: free some space; reading goes on meanwhile)"
        case .corrupted, .notAnEnvironment, .versionMismatch: " (restore a backup)"
        default: ""
        }
    }
}

/// Looks at the room that is left on a disk.
enum DiskSpace {
    static func isExhausted(_ folder: String) -> Bool {
        var result = statvfs()
        guard statvfs(folder, &result) == 0 else { return false }
        return UInt64(result.f_bavail) * UInt64(result.f_frsize) < 256 << 10
    }
}
