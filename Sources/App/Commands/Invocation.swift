internal import Accounts
internal import Core
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
        try ProcessEnvironment.becomeOwner(of: settings.dataFolder)
        return CommandContext(settings: settings, output: Output(json: json), actor: actor)
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

    var keyPolicy: KeyPolicy {
        KeyPolicy(
            defaultLifetime: settings.apiKeys.defaultLifetime, maximumLifetime: settings.apiKeys.maximumLifetime,
            requireRoutes: settings.apiKeys.requiresRoutes)
    }

    func storeConfiguration(readingMasterKey: Bool) throws -> Store.Configuration {
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
