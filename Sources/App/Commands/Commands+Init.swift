internal import Accounts
internal import Core
internal import FoundationEssentials
internal import Glibc
internal import Policy
internal import Settings

extension Commands {
    /// `init`: everything that a first start needs, as the user who runs it. What it is about to write is read as a start
    /// would read it, and nothing is written unless all of it will do.
    public static func initialise(
        _ invocation: Invocation, publicURL: String, administrator: String?, apps: [String]
    ) throws {
        let path = invocation.configurationPath
        guard let origin = Origin(publicURL) else {
            throw CommandFailure(.usage, "--public-url “\(publicURL)” is no origin like https://auth.example.com")
        }
        let address = try administrator.map(emailAddress)
        let parsed = try apps.map(AppArgument.init)
        guard access(path, F_OK) != 0 else {
            throw CommandFailure(.exists, "\(path) exists already; nothing was changed")
        }
        let start = try FirstStart(path: path, origin: origin, apps: parsed)
        try start.check()
        if let address { try start.refuseKnown(address) }
        try start.write()
        if let address {
            try addAdministrator(address, Invocation(configuration: path, json: invocation.json))
        }
        struct Answer: Encodable {
            let configuration: String
            let master_key: String
            let data_dir: String
            let kept: [String]
        }
        let answer = Answer(configuration: path, master_key: start.key, data_dir: start.data, kept: start.kept)
        try Output(json: invocation.json).value(answer) {
            let written = [path, start.key, start.data].filter { !start.kept.contains($0) }
            let link = address.map {
                "\nA link by which \($0) sets a password: gatehouse user link \($0) --kind invitation --config \(path)"
            }
            return """
                Wrote \(written.joined(separator: ", ")).\(start.kept.map { "\nKept \($0), which was there." }.joined())
                Next: gatehouse check-config --config \(path) && gatehouse serve --config \(path)\(link ?? "")
                """
        }
        if start.isInstalled, ProcessEnvironment.isRoot, !ProcessEnvironment.hasServiceAccount { warn(of: start) }
    }

    private static func warn(of start: FirstStart) {
        let account = ProcessEnvironment.serviceAccount
        Output.standardError(
            """
            warning: the system has no account \(account), as which gatehouse.service runs, so all of it is root's. To mend it:
              useradd --system --home-dir \(start.data) --shell /usr/sbin/nologin \(account)
              chown -R \(account): \(start.key) \(start.data)

            """)
    }

    private static func addAdministrator(_ address: EmailAddress, _ invocation: Invocation) throws {
        do {
            try invocation.withStore { store, context in
                _ = try store.addUser(
                    NewUser(
                        email: address.description, username: nil, name: "", groups: ["gatehouse-admins"],
                        service: false),
                    by: context.actor)
            }
        } catch {
            guard let failure = CommandFailure(reporting: error) else { throw error }
            throw CommandFailure(
                failure.status,
                "\(invocation.configurationPath) was written, but there is no administrator: \(failure.message)")
        }
    }
}

/// What `init` is about to make.
private struct FirstStart {
    let path: String
    let folder: String
    let data: String
    let key: String
    /// Of these, what is there already and stays as it is.
    let kept: [String]
    /// In the places of the packaged service.
    let isInstalled: Bool
    private let publicURL: String
    private let text: String
    private let newKey: String

    init(path: String, origin: Origin, apps: [AppArgument]) throws {
        self.path = path
        publicURL = origin.description
        folder = URL(filePath: path).deletingLastPathComponent().path
        isInstalled = folder == "/etc/gatehouse"
        data = isInstalled ? "/var/lib/gatehouse" : folder + "/data"
        key = folder + "/master.key"
        kept = [key, data].filter { access($0, F_OK) == 0 }
        newKey = try Commands.newMasterKey() + "\n"
        text =
            InitialConfiguration(
                origin: origin, dataFolder: isInstalled ? data : "data",
                cookieDomain: try Self.cookieDomain(origin, apps), apps: apps
            ).text
    }

    /// Apps on other hosts than the portal's see who has signed in by a domain above them all.
    private static func cookieDomain(_ origin: Origin, _ apps: [AppArgument]) throws(CommandFailure) -> String? {
        let hosts = apps.map(\.host).filter { $0 != origin.host }
        guard !hosts.isEmpty else { return nil }
        if let domain = CookieDomain.above([origin.host] + hosts) { return domain }
        let isLocal = ([origin.host] + hosts).allSatisfy(Loopback.isLocalhost)
        throw CommandFailure(
            .usage,
            "nobody could sign in to \(hosts.joined(separator: ", ")): browsers keep no cookie for it and \(origin.host) "
                + "alike. "
                + (isLocal
                    ? "They take none for localhost itself: say auth.apps.localhost and wiki.apps.localhost"
                    : "Choose hosts below one domain, like auth.example.com and wiki.example.com")
                + ". Nothing was written")
    }

    /// Reads what would be written, with the key that is there.
    func check() throws {
        var contents: [String: (String, UInt16)] = [path: (text, 0o644)]
        // As the configuration's folder is written, which need not be from the root.
        let prefix = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        if !kept.contains(key) { contents[prefix + "master.key"] = (newKey, 0o600) }
        let planned = PlannedFiles(contents: contents)
        do throws(SettingsError) {
            _ = try Settings.load(
                path, environment: { _ in nil }, files: planned, certificates: nil, templates: nil)
        } catch {
            let keyIsBad = kept.contains(key) && error.problems.contains { $0.path.hasPrefix("master_key") }
            let problems = error.problems.map { "\($0.path): \($0.message)" }.joined(separator: "\n")
            throw CommandFailure(
                keyIsBad ? .exists : .usage,
                (keyIsBad ? "\(key) is there already and is no good" : "this makes no configuration")
                    + "; nothing was written.\n" + problems)
        }
    }

    /// Of a data folder that is there: nothing is written for an administrator who has an account already.
    func refuseKnown(_ address: EmailAddress) throws {
        guard access(data + "/data.mdb", F_OK) == 0 else { return }
        try ProcessEnvironment.asOwner(of: data) {
            let store = try Store.open(
                Store.Configuration(dataFolder: data, publicURL: publicURL, readOnly: true), clock: SystemClock())
            defer { store.close() }
            guard (try? store.user(address.description)) == nil else {
                throw CommandFailure(
                    .exists, "\(address) has an account in \(data) already; nothing was written: leave out --admin")
            }
        }
    }

    func write() throws {
        try makeFolder(folder, mode: 0o755)
        try makeFolder(data, mode: 0o700)
        if !kept.contains(key) { try Commands.writeNew(newKey, to: key, mode: 0o600) }
        try Commands.writeNew(text, to: path, mode: 0o644)
        try ProcessEnvironment.giveToService([key, data])
    }

    private func makeFolder(_ path: String, mode: Int) throws(CommandFailure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
        } catch {
            throw CommandFailure(.failed, "cannot make the folder \(path): \(error)")
        }
    }
}

/// The files of this machine with some that are not written yet.
private struct PlannedFiles: FileReading {
    let contents: [String: (text: String, permissions: UInt16)]

    func read(_ path: String, maximumBytes: Int) throws(FileReadingError) -> FileContent {
        if let planned = contents[path] {
            return FileContent(bytes: Array(planned.text.utf8), permissions: planned.permissions)
        }
        return try DiskFiles().read(path, maximumBytes: maximumBytes)
    }

    func names(inFolder path: String) throws(FileReadingError) -> [String] {
        try DiskFiles().names(inFolder: path)
    }
}

/// `HOST=URL` of `init --app`.
struct AppArgument {
    /// Canonical; may begin with `*.`.
    let host: String
    let url: String

    init(_ text: String) throws(CommandFailure) {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        let schemes = ["http://", "https://", "h2c://", "unix:"]
        // It goes between quotes as it is.
        guard parts.count == 2, let host = Self.canonical(parts[0]), schemes.contains(where: parts[1].hasPrefix),
            parts[1].utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c })
        else {
            throw CommandFailure(.usage, "--app “\(text)” is not HOST=URL (wiki.example.com=http://127.0.0.1:3000)")
        }
        self.host = host
        url = parts[1]
    }

    private static func canonical(_ host: String) -> String? {
        guard host.hasPrefix("*.") else { return HostName.canonical(configured: host) }
        return HostName.canonical(configured: String(host.dropFirst(2))).map { "*." + $0 }
    }
}
