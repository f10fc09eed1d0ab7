internal import Glibc

/// Whole texts from files and pipes.
enum TextFile {
    /// Everything in the file at `path`; `-` is standard input.
    static func read(_ path: String) throws(CommandFailure) -> String {
        String(decoding: try bytes(path), as: UTF8.self)
    }

    /// As ``read(_:)``, byte for byte.
    static func bytes(_ path: String) throws(CommandFailure) -> [UInt8] {
        let descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// The lines of a text, however they end: to a String a carriage return and a line feed are one character, which is
    /// no line feed.
    static func lines(of text: String) -> [String] {
        text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { bytes in
            String(decoding: bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes, as: UTF8.self)
        }
    }

    private static func failure(_ path: String) -> CommandFailure {
        let code = errno
        let status: CommandFailure.Status = code == ENOENT || code == ENOTDIR ? .notFound : .failed
        return CommandFailure(status, "cannot read \(path): \(String(cString: strerror(code)))")
    }
}
