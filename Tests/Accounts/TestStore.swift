import Core
import Cryptography
import Glibc
import LMDB
import Synchronization
import Testing

@testable import Accounts

/// A clock that stands until it is moved.
final class TestClock: WallClock {
    private let time = Mutex(Timestamp(milliseconds: 1_800_000_000_000))

    func now() -> Timestamp { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// A generator that repeats itself from run to run (SplitMix64).
final class SeededRandom: RandomSource {
    private let state: Mutex<UInt64>

    init(seed: UInt64 = 1) {
        state = Mutex(seed)
    }

    func bytes(_ count: Int) throws -> [UInt8] {
        state.withLock { state in
            (0..<count).map { _ in
                state &+= 0x9e37_79b9_7f4a_7c15
                var word = state
                word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
                word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
                return UInt8(truncatingIfNeeded: word ^ word >> 31)
            }
        }
    }
}

/// A store in a folder of its own, removed with it.
final class TestStore {
    static let publicURL = "https://auth.example.com"
    let folder: String
    let clock = TestClock()
    let random: SeededRandom
    private(set) var store: Store

    var now: Timestamp { clock.now() }

    init(masterKey: UInt8? = 7, seed: UInt64 = 1) throws {
        folder = try Self.makeFolder()
        random = SeededRandom(seed: seed)
        store = try Store.open(
            try Self.configuration(folder, masterKey: masterKey), clock: clock, random: random)
    }

    deinit {
        store.close()
        Self.remove(folder)
    }

    func reopen(masterKey: UInt8? = 7, previous: [UInt8] = []) throws {
        store.close()
        store = try Store.open(
            try Self.configuration(folder, masterKey: masterKey, previous: previous), clock: clock, random: random)
    }

    func replace(_ other: Store) {
        store = other
    }

    func close() {
        store.close()
    }

    static func configuration(
        _ folder: String, masterKey: UInt8?, previous: [UInt8] = []
    ) throws -> Store.Configuration {
        var keys: MasterKeys?
        if let masterKey { keys = try MasterKeys(current: key(masterKey), previous: previous.map(key)) }
        return Store.Configuration(
            dataFolder: folder, publicURL: publicURL, maximumSize: 256 << 20, masterKeys: keys)
    }

    static func key(_ byte: UInt8) -> SecretBytes { SecretBytes(copying: [UInt8](repeating: byte, count: 32)) }

    static func makeFolder() throws -> String {
        var template = Array("/tmp/gatehouse-accounts-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        return try #require(made)
    }

    static func remove(_ folder: String) {
        guard let directory = opendir(folder) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." {
                if unlink("\(folder)/\(name)") != 0 { remove("\(folder)/\(name)") }
            }
        }
        closedir(directory)
        rmdir(folder)
    }

    // MARK: Shorthand

    static let cli = AuditActor("cli:root")

    @discardableResult
    func addUser(
        _ email: String = "ada@example.com", username: String? = nil, groups: [String] = ["staff"],
        service: Bool = false
    ) throws -> User {
        try store.addUser(
            NewUser(email: email, username: username, name: "Ada", groups: groups, service: service), by: Self.cli)
    }

    func addKey(
        _ user: String = "ada@example.com", scopes: [String]? = nil, lifetime: Duration? = nil
    ) throws -> IssuedAPIKey {
        try store.createAPIKey(
            NewAPIKey(user: user, name: "test", scopes: scopes, lifetime: lifetime), by: Self.cli)
    }

    func events(_ filter: AuditFilter = AuditFilter()) throws -> [AuditEvent] {
        var events: [AuditEvent] = []
        try store.auditEvents(filter) {
            events.append($0)
            return true
        }
        return events
    }

    /// Changes what is stored behind the operations' back.
    func tamper(_ body: @escaping @Sendable (borrowing WriteTransaction) throws -> Void) throws {
        try store.environment.writeAndWait(body)
    }
}

extension CredentialReader {
    func read(_ text: String, _ source: PresentedCredential.Source = .keyHeader, at now: Timestamp) -> CredentialReading
    {
        let bytes = Array(text.utf8)
        return read(PresentedCredential(source: source, bytes: bytes.span), at: now)
    }
}

extension CredentialReading {
    var identity: Identity? {
        if case .identity(let identity) = self { return identity }
        return nil
    }

    var reason: Reason? {
        if case .refused(let refusal) = self { return refusal.reason }
        return nil
    }

    var isNotMine: Bool {
        if case .notMine = self { return true }
        return false
    }
}

/// Runs `body` on several threads at once and waits for all.
func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let pool = WorkerPool(name: "test", threads: count, capacity: count)
    for index in 0..<count { #expect(pool.submit { body(index) }) }
    pool.stop()
}
