internal import Glibc
internal import Settings
internal import Synchronization

/// What tells one state of a file from another without reading it. Nothing of it: the file is not there.
struct FileStamp: Sendable, Equatable {
    private var device: UInt64 = 0
    private var inode: UInt64 = 0
    private var size: Int64 = -1
    private var mode: UInt32 = 0
    private var modified: Int64 = 0
    private var changed: Int64 = 0

    /// The file at `path`, or what a link there leads to.
    init(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        mode = UInt32(status.st_mode)
        modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
    }

    private var isFolder: Bool { mode & S_IFMT == S_IFDIR }

    /// All files are the same; a folder that was looked through may have others in it by now.
    static func filesAreTheSame(_ old: [String: FileStamp], _ new: [String: FileStamp]) -> Bool {
        let files = { (stamps: [String: FileStamp]) in stamps.filter { !$0.value.isFolder } }
        return files(old) == files(new)
    }
}

/// The files of this machine, and a note of each that was asked for, as it was just before: also of those that are
/// missing, and of the folders that were looked through. Whatever a configuration is made of is among them.
final class WatchedFiles: FileReading {
    private let disk = DiskFiles()
    private let seen = Mutex<[String: FileStamp]>([:])

    /// By path.
    var stamps: [String: FileStamp] { seen.withLock { $0 } }

    func read(_ path: String, maximumBytes: Int) throws(FileReadingError) -> FileContent {
        note(path)
        return try disk.read(path, maximumBytes: maximumBytes)
    }

    func names(inFolder path: String) throws(FileReadingError) -> [String] {
        note(path.isEmpty ? "." : path)
        return try disk.names(inFolder: path)
    }

    private func note(_ path: String) {
        let stamp = FileStamp(path)
        // The first: what is read twice may have changed in between.
        seen.withLock { if $0[path] == nil { $0[path] = stamp } }
    }
}

/// Decides when changed files are to be read: when they have stayed the same for one look after a change, so that no
/// file is read while an editor still writes it. A value without I/O.
struct ChangeWatch {
    private var last: [String: FileStamp]?

    /// - Parameters:
    ///   - known: the files as they were when they were read.
    ///   - current: the same paths as they are now.
    /// - Returns: true when they must be read again.
    mutating func look(known: [String: FileStamp], current: [String: FileStamp]) -> Bool {
        defer { last = current }
        return current != known && current == last
    }
}
