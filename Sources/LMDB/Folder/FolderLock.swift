internal import Glibc
internal import Synchronization

/// The lock on a data folder: `gatehouse.lock`, held shared by everybody who has the store open and exclusively by a
/// restore. Released when the last reference goes.
///
/// The file names the PID namespace of its holders. LMDB finds dead readers by their process ids, so two namespaces on
/// one folder would free pages under each other's readers.
final class FolderLock: Sendable {
    private let file: Int32
    private let identity: FolderIdentity

    /// - Throws: `alreadyOpen`, `inUse`, `foreignServer`, `io`.
    static func acquire(folder: String, exclusive: Bool, mayWrite: Bool) throws(LMDBError) -> FolderLock {
        let identity = try FolderIdentity.claim(folder)
        let file = try open(folder, mayWrite: mayWrite)
        do throws(LMDBError) {
            try take(file, folder: folder, exclusive: exclusive, mayWrite: mayWrite)
            return FolderLock(file: file, identity: identity)
        } catch {
            if file >= 0 { close(file) }
            throw error
        }
    }

    private init(file: Int32, identity: FolderIdentity) {
        self.file = file
        self.identity = identity
    }

    deinit {
        if file >= 0 { close(file) }
    }

    /// Somebody has the store in this folder open.
    static func isHeld(_ folder: String) -> Bool {
        let file = Glibc.open("\(folder)/gatehouse.lock", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return flock(file, LOCK_EX | LOCK_NB) != 0
    }

    /// This process's PID namespace.
    static func namespace() -> UInt64 {
        var status = stat()
        return stat("/proc/self/ns/pid", &status) == 0 ? UInt64(status.st_ino) : 0
    }

    /// -1 for a folder that can only be read and has no lock file: nobody can write there.
    private static func open(_ folder: String, mayWrite: Bool) throws(LMDBError) -> Int32 {
        let path = "\(folder)/gatehouse.lock"
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if file >= 0 { return file }
        guard !mayWrite, errno == EROFS || errno == EACCES else { throw .system("opening \(path)") }
        return Glibc.open(path, O_RDONLY | O_CLOEXEC)
    }

    private static func take(_ file: Int32, folder: String, exclusive: Bool, mayWrite: Bool) throws(LMDBError) {
        guard file >= 0 else { return }
        // The first to come holds the lock exclusively for a moment, so others try for a second. So does who wants it
        // alone: a command that runs, or a process that is being started and has not let go of its parent's files yet,
        // is gone in a moment.
        for _ in 0..<100 {
            if flock(file, LOCK_EX | LOCK_NB) == 0 {
                try writeHolder(file, mayWrite: mayWrite)
                if exclusive { return }
            }
            if !exclusive, flock(file, LOCK_SH | LOCK_NB) == 0 { return try compareHolder(file, folder: folder) }
            usleep(10_000)
        }
        guard !exclusive else {
            throw LMDBError(.inUse, "\(folder) is in use by \(holder(file).text): stop it first")
        }
        throw LMDBError(.inUse, "\(folder) is locked by \(holder(file).text) (a restore?): wait until it has ended")
    }

    private static func writeHolder(_ file: Int32, mayWrite: Bool) throws(LMDBError) {
        let text = Array("\(namespace()) \(getpid())\n".utf8)
        // A full disk must not keep a server from starting: a few bytes of an existing file are overwritten in place.
        let isWritten = pwrite(file, text, text.count, 0) == text.count && ftruncate(file, off_t(text.count)) == 0
        guard isWritten || !mayWrite else { throw .system("writing gatehouse.lock") }
    }

    /// Read again under the shared lock: between the exclusive and the shared one somebody else may have come first.
    private static func compareHolder(_ file: Int32, folder: String) throws(LMDBError) {
        let holder = holder(file)
        guard let found = holder.namespace, found != namespace() else { return }
        throw LMDBError(
            .foreignServer,
            "\(folder) is held by \(holder.text) in another PID namespace (a container?): run the command there")
    }

    private static func holder(_ file: Int32) -> (namespace: UInt64?, text: String) {
        lseek(file, 0, SEEK_SET)
        let fields = (SmallFile.read(file, atMost: 64) ?? "").split { $0 == " " || $0 == "\n" }
        guard fields.count == 2 else { return (nil, "another process") }
        return (UInt64(fields[0]), "process \(fields[1])")
    }
}

/// A folder that this process has open, however it was spelled. A second environment on one path would lose all its
/// locks when the first is closed.
///
/// The folder itself is kept open while it is claimed: the number of one that was removed is given to the next one that
/// is made, which nobody has open.
final class FolderIdentity: Sendable {
    private struct Place: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    private static let claimed = Mutex<Set<Place>>([])

    private let place: Place
    private let file: Int32

    /// - Throws: `alreadyOpen`, `io`.
    static func claim(_ folder: String) throws(LMDBError) -> FolderIdentity {
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .system("opening the folder \(folder)") }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            let error = LMDBError.system("opening the folder \(folder)")
            close(file)
            throw error
        }
        let place = Place(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        guard claimed.withLock({ $0.insert(place).inserted }) else {
            close(file)
            throw LMDBError(.alreadyOpen, "this process has the store in \(folder) open already")
        }
        return FolderIdentity(place, file)
    }

    private init(_ place: Place, _ file: Int32) {
        self.place = place
        self.file = file
    }

    deinit {
        _ = Self.claimed.withLock { $0.remove(place) }
        close(file)
    }
}
