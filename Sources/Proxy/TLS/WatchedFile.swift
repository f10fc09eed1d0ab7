import Glibc
import NIOSSL

/// What tells one content of a file from another without reading it; a link counts as what it leads to.
struct FileStamp: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let modified: (seconds: Int, nanoseconds: Int)
    private let changed: (seconds: Int, nanoseconds: Int)

    /// Nil when there is no such file.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        changed = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
    }

    static func == (left: FileStamp, right: FileStamp) -> Bool {
        left.device == right.device && left.inode == right.inode && left.size == right.size
            && left.modified == right.modified && left.changed == right.changed
    }
}

/// Reads the small files that TLS is made from.
enum CertificateFile {
    /// More is no certificate file but a mistake.
    private static let maximumBytes = 4 << 20

    /// - Parameter isPrivate: refuses a file that anybody but its owner may read.
    static func read(_ path: String, isPrivate: Bool = false) throws(ProxyError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path, errno == ENOENT ? "does not exist" : "cannot be opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw failure(path, "is not a regular file")
        }
        guard !isPrivate || status.st_mode & 0o077 == 0 else {
            throw failure(path, "may be read by others; chmod 0600 mends it")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path, "cannot be read") }
            if count == 0 { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= maximumBytes else { throw failure(path, "is too long") }
        }
    }

    /// The certificates of a file, at least one.
    static func authorities(_ path: String) throws(ProxyError) -> [NIOSSLCertificate] {
        let bytes = try read(path)
        guard let found = try? NIOSSLCertificate.fromPEMBytes(bytes), !found.isEmpty else {
            throw failure(path, "holds no certificate in PEM")
        }
        return found
    }

    private static func failure(_ path: String, _ what: String) -> ProxyError {
        ProxyError(.badCertificate, "the file \(path) \(what)")
    }
}
