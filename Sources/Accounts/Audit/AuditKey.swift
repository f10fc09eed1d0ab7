internal import Core
internal import Cryptography
internal import Glibc

/// The key that seals the head of the audit chain. It is derived from the master key and says nothing about it.
///
/// The server writes it to `audit.key` in the data folder (mode 0600), so that the command line can append and verify
/// without the master key. It protects against whoever can change the data file and cannot read that folder as the
/// service's user: a stolen and returned disk, a forged backup. Whoever is the service's user can read this key (and
/// in most set-ups the master key beside it); against them only a checkpoint or an export kept elsewhere helps.
struct AuditKey: Sendable {
    /// Which key made a seal; nothing about the key.
    let id: String
    let secret: SecretBytes
    private let key: SymmetricKey

    init(_ secret: SecretBytes) throws {
        self.secret = secret
        key = try SymmetricKey(secret)
        let identifying = try key.sign(Array("gatehouse audit key id".utf8).span, hash: .sha256)
        id = Hexadecimal.encode(identifying.prefix(4))
    }

    /// The code of `message` for one purpose; codes of different purposes never match.
    func code(_ purpose: String, _ message: [UInt8]) throws -> String {
        Hexadecimal.encode(try key.sign(Self.bytes(purpose, message).span, hash: .sha256))
    }

    func verify(_ code: String, _ purpose: String, _ message: [UInt8]) -> Bool {
        guard let bytes = Hexadecimal.decode(code) else { return false }
        return key.verify(bytes.span, of: Self.bytes(purpose, message).span, hash: .sha256)
    }

    private static func bytes(_ purpose: String, _ message: [UInt8]) -> [UInt8] {
        Array(purpose.utf8) + [0] + message
    }
}

/// The audit keys that this process knows: the first one seals, all verify.
struct AuditKeys: Sendable {
    var keys: [AuditKey]

    var sealing: AuditKey? { keys.first }

    func key(_ id: String) -> AuditKey? {
        keys.first { $0.id == id }
    }
}

extension MasterKeys {
    /// Those that are derived from each, the current one's first.
    var auditKeys: AuditKeys { AuditKeys(keys: ([current] + previous).map(\.audit)) }
}

/// `audit.key`: one key in base 64 a line, the sealing one first.
enum AuditKeyFile {
    private static let name = "audit.key"
    private static let maximumBytes = 4096

    /// - Returns: no keys when there is no such file yet.
    static func read(folder: String) throws(AccountsError) -> AuditKeys {
        let path = folder + "/" + name
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            if errno == ENOENT { return AuditKeys(keys: []) }
            throw AccountsError(.store, "\(path) cannot be read (\(String(cString: strerror(errno)))).")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & 0o077 == 0 else {
            throw AccountsError(.refused, "\(path) may be read by others: `chmod 600 \(path)`.")
        }
        var bytes = [UInt8](repeating: 0, count: maximumBytes)
        let count = Glibc.read(file, &bytes, maximumBytes)
        guard count >= 0 else { throw AccountsError(.store, "\(path) cannot be read.") }
        var keys: [AuditKey] = []
        for line in bytes.prefix(count).split(separator: UInt8(ascii: "\n")) {
            guard let secret = Base64.decode(String(decoding: line, as: UTF8.self)), secret.count == 32,
                let key = try? AuditKey(SecretBytes(copying: secret))
            else {
                throw AccountsError(.damaged, "\(path) is damaged: remove it, the server writes it again at its start.")
            }
            keys.append(key)
        }
        return AuditKeys(keys: keys)
    }

    /// Replaces the file when it does not hold exactly `keys`; a reader sees the old or the new one, never a part.
    static func write(_ keys: AuditKeys, folder: String) throws(AccountsError) {
        if let present = try? read(folder: folder), present.keys.map(\.id) == keys.keys.map(\.id) { return }
        var text: [UInt8] = []
        for key in keys.keys {
            text += Array(key.secret.withUnsafeBytes { Base64.encode(Array($0)) }.utf8) + [UInt8(ascii: "\n")]
        }
        let path = folder + "/" + name
        let temporary = path + ".new.\(getpid())"
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else {
            throw AccountsError(.store, "\(temporary) cannot be made (\(String(cString: strerror(errno)))).")
        }
        let written = Glibc.write(file, text, text.count)
        let synced = fsync(file)
        close(file)
        guard written == text.count, synced == 0, rename(temporary, path) == 0 else {
            unlink(temporary)
            throw AccountsError(.store, "\(path) cannot be written (\(String(cString: strerror(errno)))).")
        }
    }
}
