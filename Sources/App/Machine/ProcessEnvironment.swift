internal import Glibc

/// What the process was started with: the only place that reads the environment.
enum ProcessEnvironment {
    /// The value of an environment variable; nil when it is not set.
    static func value(of name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// The name of the account that runs this process, or its number.
    static var userName: String {
        guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else { return "\(getuid())" }
        return String(cString: name)
    }

    /// The system has a group of this name.
    static func isGroup(_ name: String) -> Bool { getgrnam(name) != nil }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// As root, becomes the owner of `folder` for good, so that nothing in it ever belongs to root. A folder of root's
    /// own changes nothing.
    ///
    /// - Returns: the name of the owner that root became; nil: nothing was changed.
    @discardableResult
    static func becomeOwner(of folder: String) throws(CommandFailure) -> String? {
        guard geteuid() == 0 else { return nil }
        var status = stat()
        guard stat(folder, &status) == 0, status.st_uid != 0 else { return nil }
        guard setgroups(0, nil) == 0, setgid(status.st_gid) == 0, setuid(status.st_uid) == 0 else {
            throw CommandFailure(.failed, "cannot become the owner of \(folder): \(String(cString: strerror(errno)))")
        }
        return userName
    }

    /// The account that the packaged service runs as.
    static let serviceAccount = "gatehouse"

    static var isRoot: Bool { geteuid() == 0 }

    static var hasServiceAccount: Bool { getpwnam(serviceAccount) != nil }

    /// Whether this process lacks a right to the folder at `path`, or to make one there.
    ///
    /// - Parameter rights: `R_OK`, `W_OK` and their like.
    static func isDenied(_ rights: Int32, _ path: String) -> Bool {
        if access(path, rights | X_OK) == 0 { return false }
        guard errno == ENOENT else { return errno == EACCES }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let parent = parts.isEmpty ? "." : parts.joined(separator: "/")
        return access(parent.isEmpty ? "/" : parent, rights | X_OK) != 0 && errno == EACCES
    }

    /// As root, runs `body` as the owner of `folder`, so that nothing that it makes there belongs to root.
    static func asOwner(of folder: String, _ body: () throws -> Void) throws {
        var status = stat()
        guard geteuid() == 0, stat(folder, &status) == 0, status.st_uid != 0 else { return try body() }
        let group = getegid()
        guard setegid(status.st_gid) == 0, seteuid(status.st_uid) == 0 else {
            throw CommandFailure(.failed, "cannot become the owner of \(folder): \(String(cString: strerror(errno)))")
        }
        defer {
            // Only what comes after needs the rights again, and says so if they are missing.
            _ = seteuid(0)
            _ = setegid(group)
        }
        try body()
    }

    /// As root, gives files to the account of the packaged service, where the system has it; otherwise they stay the
    /// caller's.
    static func giveToService(_ paths: [String]) throws(CommandFailure) {
        guard isRoot, let account = getpwnam(serviceAccount) else { return }
        for path in paths where chown(path, account.pointee.pw_uid, account.pointee.pw_gid) != 0 {
            throw CommandFailure(
                .failed, "cannot give \(path) to \(serviceAccount): \(String(cString: strerror(errno)))")
        }
    }

    /// The CPUs that this process may use: the cgroup's quota, rounded up, at most those of its affinity.
    static var availableCPUs: Int {
        let online = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        guard let text = firstLine(of: "/sys/fs/cgroup/cpu.max") else { return online }
        let words = text.split(separator: " ")
        guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), period > 0 else {
            return online
        }
        return max(1, min(online, Int((quota / period).rounded(.up))))
    }

    private static func firstLine(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 256)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
