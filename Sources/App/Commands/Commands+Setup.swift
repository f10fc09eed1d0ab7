internal import Core
internal import Cryptography
internal import FoundationEssentials
internal import Glibc

extension Commands {
    /// `version`.
    public static func version(_ invocation: Invocation) throws {
        struct Answer: Encodable {
            let version: String
            let schema: Int
        }
        try Output(json: invocation.json).value(Answer(version: Build.version, schema: Int(Build.schema))) {
            Build.description
        }
    }

    /// `keygen`.
    public static func generateKey(_ invocation: Invocation, out path: String?) throws {
        let text = try newMasterKey()
        guard let path else {
            struct Key: Encodable {
                let key: String
            }
            return try Output(json: invocation.json).value(Key(key: text)) { text }
        }
        try writeNew(text + "\n", to: path, mode: 0o600)
        struct Answer: Encodable {
            let file: String
        }
        try Output(json: invocation.json).value(Answer(file: path)) {
            "Wrote \(path). Keep a copy where the backups are not: without it they cannot be opened."
        }
    }

    static func newMasterKey() throws -> String {
        Base64.encode(try SecureRandom.bytes(32))
    }

    // Made with its final mode and never over something that exists, so a secret is at no moment readable by others.
    static func writeNew(_ text: String, to path: String, mode: mode_t) throws(CommandFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            let status: CommandFailure.Status = errno == EEXIST ? .exists : .failed
            throw CommandFailure(status, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var text = text
        let count = text.utf8.count
        let written = text.withUTF8 { write(descriptor, $0.baseAddress, $0.count) }
        guard written == count, fsync(descriptor) == 0 else {
            unlink(path)
            throw CommandFailure(.failed, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }
}
