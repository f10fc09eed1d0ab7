public import Core
public import LMDB
internal import Synchronization

/// The accounts: the LMDB environment with its tables, and what the operations need besides. One a process and data
/// folder; may be used from any thread, but its operations wait for the disk and belong on no event loop.
///
/// Each operation is one write transaction (long lists: batches of 1,000 rows behind one that already holds), together
/// with its audit event: either both are on disk when it returns, or it throws and neither is.
public final class Store: Sendable {
    /// How a store is opened.
    public struct Configuration: Sendable {
        /// `data_dir`.
        public var dataFolder: String
        /// `public_url` without a trailing slash: issuer and audience of our tokens.
        public var publicURL: String
        /// `store.max_size` in bytes; the same in every process.
        public var maximumSize: UInt64
        /// Nil for a command that does not need them.
        public var masterKeys: MasterKeys?
        /// Refuse when any other process has the store open, and keep others out.
        public var exclusive: Bool
        /// Nothing can be written.
        public var readOnly: Bool
        /// A copy that nobody writes. It may be damaged, so every page of the file is held against its format first, and
        /// it may lie on a network file system.
        var isBackup = false
        /// `mail` is not `none`: operations queue the mails that they cause.
        public var mailIsOn: Bool
        /// `notifications`: which mails operations queue that nobody has asked for.
        public var notices = SecurityNotices.all

        /// 64 GiB and no master keys unless said otherwise.
        public init(
            dataFolder: String, publicURL: String, maximumSize: UInt64 = 64 << 30, masterKeys: MasterKeys? = nil,
            exclusive: Bool = false, readOnly: Bool = false, mailIsOn: Bool = false
        ) {
            self.dataFolder = dataFolder
            self.publicURL = publicURL
            self.maximumSize = maximumSize
            self.masterKeys = masterKeys
            self.exclusive = exclusive
            self.readOnly = readOnly
            self.mailIsOn = mailIsOn
        }
    }

    /// The schema that this version writes.
    public static let schemaVersion: UInt16 = 1
    /// The most rows that one transaction of a batch changes.
    static let batchSize = 1000

    /// What is below: for metrics and readiness.
    public let environment: Environment
    let configuration: Configuration
    let clock: any WallClock
    let random: any RandomSource
    private let keyring: Mutex<Keyring>
    let passkeyChallenges = PasskeyChallenges()
    /// For tokens that are signed outside of the event loops, which have copies of their own.
    let accessKeys = Mutex(SigningKeyRing(.access))
    private let queuesMail: Atomic<Bool>
    private let noticeBits: Atomic<UInt32>

    let signIns = SignInCounts()
    let auditAlarms = AuditAlarms()
    /// Says which server the running mark is of; nil while this is none.
    let serving = Mutex<String?>(nil)

    /// What seals. Another master key may become current while the store is open.
    private struct Keyring: Sendable {
        var master: MasterKeys?
        var audit: AuditKeys
    }

    init(
        _ configuration: Configuration, environment: Environment, clock: any WallClock, random: any RandomSource,
        auditKeys: AuditKeys
    ) {
        self.configuration = configuration
        self.environment = environment
        self.clock = clock
        self.random = random
        keyring = Mutex(Keyring(master: configuration.masterKeys, audit: auditKeys))
        queuesMail = Atomic(configuration.mailIsOn)
        noticeBits = Atomic(configuration.notices.bits)
    }

    /// Whether operations queue the mails that they cause.
    public var mailIsOn: Bool { queuesMail.load(ordering: .relaxed) }

    /// Which notices operations queue.
    public var notices: SecurityNotices { SecurityNotices(bits: noticeBits.load(ordering: .relaxed)) }

    /// To be called when a reload has changed `mail`.
    public func setMail(on isOn: Bool) {
        queuesMail.store(isOn, ordering: .relaxed)
    }

    /// To be called when a reload has changed `notifications`.
    public func setNotices(_ notices: SecurityNotices) {
        noticeBits.store(notices.bits, ordering: .relaxed)
    }

    /// Opens the store, and makes it when the folder has none. Keys that lack one which a rotation has begun to seal under
    /// are refused (`wrongMasterKey`).
    ///
    /// With master keys the audit key derived from them is put into `audit.key` in the data folder; without them it is
    /// read from there.
    ///
    /// - Throws: `store` with the cause (in use, newer schema, network file system, full disk, …), `refused` when
    ///   `audit.key` may be read by others.
    public static func open(
        _ configuration: Configuration, clock: any WallClock, random: any RandomSource = SystemRandom()
    ) throws(AccountsError) -> Store {
        try open(configuration, clock: clock, random: random, auditKeys: nil)
    }

    /// - Parameter auditKeys: nil: those of the folder.
    static func open(
        _ configuration: Configuration, clock: any WallClock, random: any RandomSource, auditKeys: AuditKeys?
    ) throws(AccountsError) -> Store {
        let environment: Environment
        do {
            var opening = Environment.Configuration(
                path: configuration.dataFolder, maximumSize: configuration.maximumSize,
                access: configuration.exclusive ? .exclusive : .shared, readOnly: configuration.readOnly,
                schemaVersion: schemaVersion, tables: Tables.descriptions)
            opening.checksPages = configuration.isBackup
            opening.isBackup = configuration.isBackup
            environment = try Environment.open(opening)
        } catch {
            throw AccountsError(
                .store, "The store in \(configuration.dataFolder) cannot be opened.", cause: error)
        }
        do throws(AccountsError) {
            let keys: AuditKeys
            if let auditKeys {
                keys = auditKeys
            } else {
                // Before `audit.key` is written: a configuration that a rotation has left behind would put back a key
                // that nothing is sealed under any more.
                if let masterKeys = configuration.masterKeys { try checkMark(masterKeys, environment) }
                keys = try Self.auditKeys(for: configuration)
            }
            return Store(configuration, environment: environment, clock: clock, random: random, auditKeys: keys)
        } catch {
            environment.close()
            throw error
        }
    }

    /// Ends all use of the store; readers made from it must not be used any more.
    public func close() {
        environment.close()
    }

    private static func auditKeys(for configuration: Configuration) throws(AccountsError) -> AuditKeys {
        guard let masterKeys = configuration.masterKeys else {
            return try AuditKeyFile.read(folder: configuration.dataFolder)
        }
        let keys = masterKeys.auditKeys
        if !configuration.readOnly { try AuditKeyFile.write(keys, folder: configuration.dataFolder) }
        return keys
    }

    /// The master keys, for what is sealed under them.
    func masterKeys() throws(AccountsError) -> MasterKeys {
        guard let keys = keyring.withLock({ $0.master }) else {
            throw AccountsError(.noMasterKey, "This needs the master key: run it where master_key can be read.")
        }
        return keys
    }

    var auditKeys: AuditKeys { keyring.withLock { $0.audit } }

    /// Seals under another master key from now on, and still opens what the ones before have sealed. When it throws,
    /// nothing is sealed under the new key.
    func adopt(_ keys: MasterKeys) throws(AccountsError) {
        // Known before commands seal the audit log under it, and current when the mark and the file are on disk.
        let known = try masterKeys().opening(with: keys.current)
        keyring.withLock { $0 = Keyring(master: known, audit: known.auditKeys) }
        try AuditKeyFile.write(keys.auditKeys, folder: configuration.dataFolder)
        do throws(AccountsError) {
            try markMasterKey(keys)
        } catch {
            try? AuditKeyFile.write(known.auditKeys, folder: configuration.dataFolder)
            throw error
        }
        keyring.withLock { $0 = Keyring(master: keys, audit: keys.auditKeys) }
    }

    /// Runs `body` in one write transaction and waits until it is on disk.
    func write<Result: Sendable>(
        _ body: @escaping @Sendable (borrowing WriteTransaction) throws -> Result
    ) throws(AccountsError) -> Result {
        do {
            return try environment.writeAndWait(body)
        } catch {
            throw .wrapping(error)
        }
    }

    /// Runs `body` in one write transaction and suspends until it is on disk.
    func writing<Result: Sendable>(
        _ body: @escaping @Sendable (borrowing WriteTransaction) throws -> Result
    ) async throws(AccountsError) -> Result {
        do {
            return try await environment.write(body)
        } catch {
            throw .wrapping(error)
        }
    }

    /// Runs `body` on one consistent view of the store.
    func read<Result>(_ body: (borrowing ReadTransaction) throws -> Result) throws(AccountsError) -> Result {
        do {
            return try environment.read(body)
        } catch {
            throw .wrapping(error)
        }
    }
}
