internal import Accounts
internal import Core
internal import Glibc
internal import LMDB
internal import Settings

/// What every command was told.
public struct Invocation: Sendable {
    let configuration: String?
    let json: Bool

    /// - Parameters:
    ///   - configuration: `--config`; nil: `$GATEHOUSE_CONFIG` where it says something, then the usual place.
    ///   - json: `--json`.
    public init(configuration: String?, json: Bool) {
        self.configuration = configuration
        self.json = json
    }

    var configurationPath: String {
        let variable = ProcessEnvironment.value(of: "GATEHOUSE_CONFIG") ?? ""
        return configuration ?? (variable.isEmpty ? "/etc/gatehouse/gatehouse.yaml" : variable)
    }

    /// Reads the configuration. Secrets are read only where a command needs them, so that the others work for an
    /// operator who may not see them.
    func load(secrets: Settings.SecretUse) throws -> Settings.Loaded {
        try Settings.load(
            configurationPath, environment: { ProcessEnvironment.value(of: $0) }, files: DiskFiles(), secrets: secrets,
            certificates: CertificateInspector(clock: SystemClock()), templates: TemplateInspector(),
            eventTypes: AuditEventType.allCases.map(\.rawValue), groupExists: ProcessEnvironment.isGroup)
    }

    /// Reads the configuration with its secrets through `files`, as the server does it.
    ///
    /// - Parameter publicURL: the one in force, for a reload.
    func load(through files: WatchedFiles, keeping publicURL: Origin? = nil) throws -> Settings.Loaded {
        try Settings.load(
            configurationPath, environment: { ProcessEnvironment.value(of: $0) }, files: files,
            certificates: CertificateInspector(clock: SystemClock()), templates: TemplateInspector(),
            eventTypes: AuditEventType.allCases.map(\.rawValue), groupExists: ProcessEnvironment.isGroup,
            keeping: publicURL)
    }

    /// `data_dir` of a configuration that may be wrong everywhere else.
    func dataFolder() throws -> String {
        try Settings.dataFolder(
            of: configurationPath, environment: { ProcessEnvironment.value(of: $0) }, files: DiskFiles())
    }

    func context(readingMasterKey: Bool = false) throws -> CommandContext {
        try context(for: try load(secrets: readingMasterKey ? .read : .leave).settings)
    }

    func context(for settings: Settings) throws -> CommandContext {
        // The name of who called, taken before the process becomes the owner of the data folder.
        let actor = AuditActor("cli:" + ProcessEnvironment.userName)
        let owner = try ProcessEnvironment.becomeOwner(of: settings.dataFolder)
        return CommandContext(settings: settings, output: Output(json: json), actor: actor, owner: owner)
    }

    /// Opens the store beside a running server, runs `body`, closes it.
    func withStore(
        readingMasterKey: Bool = false, _ body: (Store, CommandContext) throws -> Void
    ) throws {
        let context = try context(readingMasterKey: readingMasterKey)
        let store = try Store.open(
            try context.storeConfiguration(readingMasterKey: readingMasterKey), clock: SystemClock())
        defer { store.close() }
        try body(store, context)
    }
}

/// What a command works with once the configuration was read.
struct CommandContext: Sendable {
    let settings: Settings
    let output: Output
    let actor: AuditActor
    /// The owner of the data folder, where root became that.
    let owner: String?

    /// What a command wants to do with a folder of the operator's.
    enum Right {
        case read, write
    }

    var keyPolicy: KeyPolicy {
        KeyPolicy(
            defaultLifetime: settings.apiKeys.defaultLifetime, maximumLifetime: settings.apiKeys.maximumLifetime,
            requireRoutes: settings.apiKeys.requiresRoutes)
    }

    /// Root may go anywhere, and the owner of the data folder, which root became, may not: a failure for that reason says
    /// so.
    func withRights<Result>(to right: Right, _ folder: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            guard let owner, ProcessEnvironment.isDenied(right == .read ? R_OK : W_OK, folder),
                let failure = CommandFailure(reporting: error)
            else { throw error }
            throw CommandFailure(
                .failed,
                "\(failure.message)\nThis ran as \(owner), who owns \(settings.dataFolder): name a folder that "
                    + (right == .read ? "\(owner) may read" : "\(owner) may write to"))
        }
    }

    /// - Throws: ``CommandFailure`` when there is no data folder, or no master key although one is needed.
    func storeConfiguration(readingMasterKey: Bool) throws -> Store.Configuration {
        guard access(settings.dataFolder, F_OK) == 0 || errno != ENOENT else {
            throw CommandFailure(
                .failed,
                "data_dir \(settings.dataFolder) does not exist: make it with mode 0700, owned by whoever runs the "
                    + "server")
        }
        var masterKeys: MasterKeys?
        if readingMasterKey {
            guard let current = settings.masterKey else {
                throw CommandFailure(.usage, "the master key is missing; `gatehouse keygen --out FILE` makes one")
            }
            masterKeys = try MasterKeys(current: current, previous: settings.previousMasterKeys)
        }
        var configuration = Store.Configuration(
            dataFolder: settings.dataFolder, publicURL: settings.publicURL.description,
            maximumSize: settings.storeMaximumSize, masterKeys: masterKeys, mailIsOn: settings.mail.isOn)
        configuration.notices = settings.notices
        return configuration
    }
}
