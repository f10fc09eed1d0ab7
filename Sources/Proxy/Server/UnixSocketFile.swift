import Glibc
import NIOCore

/// The file of a unix socket: made free before binding, given to its readers after.
enum UnixSocketFile {
    /// Removes a socket that nobody listens on any more.
    ///
    /// - Throws: when somebody does, or when the path is something else.
    static func prepare(_ path: String) throws(ProxyError) {
        guard path.utf8.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else {
            throw ProxyError(.invalidAddress, "the socket path \(path) is longer than the system allows")
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ProxyError(.addressInUse, "\(path) is there already and is no socket; remove it")
        }
        guard !isAnswered(path) else {
            throw ProxyError(.addressInUse, "another process listens on \(path)")
        }
        unlink(path)
    }

    private static func isAnswered(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    /// As ``giveOver(_:mode:group:)``; where that cannot be, `channel`, which listens there, is closed and the file removed.
    static func giveOver(_ path: String, mode: UInt32, group: String?, orClose channel: any Channel) throws(ProxyError)
    {
        do throws(ProxyError) {
            try giveOver(path, mode: mode, group: group)
        } catch {
            channel.close(promise: nil)
            unlink(path)
            throw error
        }
    }

    /// Sets group and mode, in that order: the file is never open to a group that is not the one named.
    private static func giveOver(_ path: String, mode: UInt32, group: String?) throws(ProxyError) {
        if let group {
            guard let id = groupID(group) else {
                throw ProxyError(.invalidAddress, "there is no group \(group) for the socket \(path)")
            }
            guard chown(path, uid_t.max, id) == 0 else {
                throw ProxyError(.permissionDenied, "the socket \(path) cannot be given to the group \(group)")
            }
        }
        guard chmod(path, mode_t(mode & 0o777)) == 0 else {
            throw ProxyError(.permissionDenied, "the mode of the socket \(path) cannot be set")
        }
    }

    private static func groupID(_ group: String) -> gid_t? {
        if let number = gid_t(group) { return number }
        var entry = Glibc.group()
        var found: UnsafeMutablePointer<Glibc.group>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getgrnam_r(group, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return entry.gr_gid
    }
}
