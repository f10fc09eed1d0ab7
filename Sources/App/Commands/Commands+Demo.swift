internal import Accounts
internal import Core
internal import Cryptography
internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import Settings

extension Commands {
    /// `demo`: everything in a temporary folder, on loopback, until SIGTERM or SIGINT.
    public static func demo(_ invocation: Invocation, port: UInt16) async throws {
        // First of all: whoever ends it while it starts, or at once, leaves no folder behind.
        let signals = SignalWaiter.signals([SIGTERM, SIGINT])
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let app = try await DemoApp.start()
        let monitor = try await FreePort.find()
        let chosen = port == 0 ? try await FreePort.find() : port
        let configuration = DemoConfiguration(port: chosen, monitorPort: monitor, appPort: app.port)
        try writeNew(try newMasterKey() + "\n", to: folder + "/master.key", mode: 0o600)
        try writeNew(configuration.text, to: folder + "/gatehouse.yaml", mode: 0o600)
        try FileManager.default.createDirectory(
            atPath: folder + "/data", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let inner = Invocation(configuration: folder + "/gatehouse.yaml", json: invocation.json)
        let launch = try Launch(inner)
        defer { launch.writer.finish() }
        let context = launch.context
        let server = try await Server.start(launch)
        do {
            let secrets = try makeDemoUser(server.store, context)
            try announce(configuration, secrets, folder: folder, context.output)
        } catch {
            await server.stop()
            throw error
        }
        for await _ in signals { break }
        await server.stop()
        await app.stop()
    }

    private static func temporaryFolder() throws(CommandFailure) -> String {
        let variable = ProcessEnvironment.value(of: "TMPDIR") ?? ""
        let base = variable.isEmpty ? "/tmp" : variable
        var template = Array("\(base)/gatehouse-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure(.failed, "cannot make a folder in \(base): \(String(cString: strerror(errno)))")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private struct DemoSecrets {
        let password: String
        let key: String
    }

    private static func makeDemoUser(_ store: Store, _ context: CommandContext) throws -> DemoSecrets {
        let password = try demoPassword()
        let user = try store.addUser(
            NewUser(
                email: "demo@example.com", username: "demo", name: "Demo User", groups: ["staff"],
                service: false),
            by: context.actor)
        let hasher = try PasswordHasher()
        defer { hasher.stop() }
        let hash = try hasher.hashAndWait(SecretBytes(copying: Array(password.utf8))).text
        _ = try store.setPassword(of: user.id, hash: hash, by: context.actor)
        let issued = try store.createAPIKey(
            NewAPIKey(
                user: user.id, name: "demo", scopes: nil, routes: nil, networks: nil, methods: nil, lifetime: nil),
            policy: context.keyPolicy, by: context.actor)
        return DemoSecrets(password: password, key: issued.secret)
    }

    /// Four times four letters: to be typed by a person, and gone with the demo.
    private static func demoPassword() throws -> String {
        let letters = Array("abcdefghjkmnpqrstuvwxyz23456789")
        let bytes = try SecureRandom.bytes(16)
        return stride(from: 0, to: 16, by: 4)
            .map { start in String(bytes[start..<start + 4].map { letters[Int($0) % letters.count] }) }
            .joined(separator: "-")
    }

    private static func announce(
        _ configuration: DemoConfiguration, _ secrets: DemoSecrets, folder: String, _ output: Output
    ) throws {
        struct Answer: Encodable {
            let url: String
            let user: String
            let password: String
            let email: String
            let groups: [String]
            let api_key: String
            let monitor: String
            let configuration: String
            let curl: [String]
        }
        let url = "http://127.0.0.1:\(configuration.port)"
        let answer = Answer(
            url: url, user: "demo", password: secrets.password, email: "demo@example.com", groups: ["staff"],
            api_key: secrets.key, monitor: "http://127.0.0.1:\(configuration.monitorPort)",
            configuration: folder + "/gatehouse.yaml",
            curl: [
                "curl -i \(url)/", "curl -i -H 'X-API-Key: \(secrets.key)' \(url)/",
                "curl -i -H 'X-API-Key: \(secrets.key)' \(url)/admin",
            ])
        try output.value(answer) {
            """
            Gatehouse runs at   \(answer.url)   in front of a demo app that shows what it is told.
            Demo user           demo (demo@example.com), group staff
            Password            \(secrets.password)
            API key             \(secrets.key)
            Configuration       \(answer.configuration)
            Monitor             \(answer.monitor)/metrics

            Try:
              \(answer.url)/  in a browser: the sign-in, then the app; the account is at \(answer.url)/.auth/account
              \(answer.curl[0])        # nobody: 401
              \(answer.curl[1])        # the app, with Remote-User
              \(answer.curl[2])   # admins only: 403

            Ctrl-C ends it and removes everything.
            """
        }
    }
}

/// The configuration that the demo writes.
struct DemoConfiguration {
    let port: UInt16
    let monitorPort: UInt16
    let appPort: UInt16

    var text: String {
        """
        public_url: http://127.0.0.1:\(port)
        listen: [ { address: "127.0.0.1:\(port)" } ]
        monitor_listen: 127.0.0.1:\(monitorPort)
        data_dir: data
        master_key: { file: master.key }
        log: { level: warning, requests: none }
        drain: 1s
        trusted_proxies: [127.0.0.0/8]
        upstreams:
          app: { url: "http://127.0.0.1:\(appPort)" }
        routes:
          - name: app
            scheme: http
            upstream: app
            rules:
              - { paths: ["/public/**"], allow: everyone }
              - { paths: ["/admin/**"], allow: { groups: [admins] } }
              - { allow: signed_in }

        """
    }
}
