internal import Accounts
internal import Core
internal import Cryptography
internal import FoundationEssentials
internal import Glibc
internal import Settings

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
            Output(json: false).line(text)
            return
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

    /// `init`: everything that a first start needs, as the user who runs it.
    public static func initialise(
        _ invocation: Invocation, publicURL: String, administrator: String?, apps: [String]
    ) throws {
        let path = invocation.configurationPath
        let folder = URL(filePath: path).deletingLastPathComponent().path
        guard let origin = Origin(publicURL) else {
            throw CommandFailure(.usage, "--public-url “\(publicURL)” is no origin like https://auth.example.com")
        }
        let address = try administrator.map(emailAddress)
        let parsed = try apps.map(AppArgument.init)
        guard access(path, F_OK) != 0 else {
            throw CommandFailure(.exists, "\(path) exists already; nothing was changed")
        }
        try makeFolder(folder, mode: 0o755)
        let data = folder == "/etc/gatehouse" ? "/var/lib/gatehouse" : folder + "/data"
        try makeFolder(data, mode: 0o700)
        let key = folder + "/master.key"
        if access(key, F_OK) != 0 { try writeNew(try newMasterKey() + "\n", to: key, mode: 0o600) }
        try writeNew(
            InitialConfiguration(publicURL: origin.description, dataFolder: data, apps: parsed).text, to: path,
            mode: 0o644)
        try ProcessEnvironment.giveToService([key, data])
        if let address {
            try Invocation(configuration: path, json: invocation.json).withStore { store, context in
                _ = try store.addUser(
                    NewUser(
                        email: address.description, username: nil, name: "", groups: ["gatehouse-admins"],
                        service: false),
                    by: context.actor)
            }
        }
        struct Answer: Encodable {
            let configuration: String
            let master_key: String
            let data_dir: String
        }
        try Output(json: invocation.json).value(Answer(configuration: path, master_key: key, data_dir: data)) {
            """
            Wrote \(path), \(key) and \(data).
            Next: gatehouse check-config --config \(path) && gatehouse serve --config \(path)
            """
        }
    }

    private static func makeFolder(_ path: String, mode: Int) throws(CommandFailure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
        } catch {
            throw CommandFailure(.failed, "cannot make the folder \(path): \(error)")
        }
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

/// `HOST=URL` of `init --app`.
struct AppArgument {
    let host: String
    let url: String

    init(_ text: String) throws(CommandFailure) {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[1].hasPrefix("http://") || parts[1].hasPrefix("unix:") else {
            throw CommandFailure(.usage, "--app “\(text)” is not HOST=URL (wiki.example.com=http://127.0.0.1:3000)")
        }
        host = parts[0]
        url = parts[1]
    }
}
