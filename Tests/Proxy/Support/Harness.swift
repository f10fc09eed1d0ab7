import Core
import Logging
import Policy
import Proxy
import Synchronization

/// A whole server on an ephemeral port, with an origin behind it.
final class Harness: Sendable {
    let server: ProxyServer
    let origin: Origin
    let records = Records()
    let withdrawn = Withdrawn()
    /// What it was started with.
    let configuration: Configuration
    let log = LogRecords()

    /// - Parameter change: may change everything before the start.
    init(
        origin: Origin = .answering(), routes: [RouteDescription] = Harness.routes,
        reader: [String: @Sendable (_ attempt: Int) -> CredentialReading] = Sample.readings,
        responders: [any LocalResponder] = [], workers: Int = 1, signerFails: Bool = false,
        resolver: any NameResolving = StubResolver(), tokens: StubTokens? = nil,
        refusedKeys: RefusedKeys = RefusedKeys(),
        change: (inout Configuration) -> Void = { _ in }
    ) async throws {
        self.origin = origin
        var configuration = Configuration(
            listeners: [ListenerDescription(address: .tcp(host: "127.0.0.1", port: 0))],
            publicURL: "https://auth.example.com", snapshot: try Snapshot.compile(routes),
            routes: routes.map { _ in RouteParameters(upstream: 0) },
            upstreams: [
                UpstreamDescription(name: "wiki", addresses: [.tcp(host: "127.0.0.1", port: origin.port)])
            ])
        configuration.limits.tick = .milliseconds(10)
        configuration.monitor = .tcp(host: "127.0.0.1", port: 0)
        change(&configuration)
        self.configuration = configuration
        let records = records
        let withdrawn = withdrawn
        let log = log
        server = ProxyServer(
            configuration: configuration,
            services: .init(
                clock: FixedClock(), logger: Logger(label: "test") { _ in RecordingLogHandler(log) },
                responders: responders, readiness: { .ready }, metrics: { "extra_metric 1\n" }, seed: 7,
                makeContext: { _ in
                    LoopContext(
                        credentials: StubReader(reader, withdrawn: withdrawn), decisions: RecordingSink(records),
                        assertions: StubSigner(fails: signerFails), providerTokens: tokens.map(LoopTokens.init),
                        waitAfterRefusedKey: { address, _ in refusedKeys.wait(address) },
                        everySecond: { records.second() })
                }, resolver: resolver), workers: workers)
        try await server.start()
    }

    static let routes = [
        RouteDescription(
            name: "wiki", hosts: ["wiki.example.com"],
            rules: [
                RuleDescription(.allow(.everyone), paths: ["/public/**"]),
                RuleDescription(.allow(.anyOf([Conditions(groups: ["admins"])])), paths: ["/admin/**"]),
                RuleDescription(.allow(.anyOf([Conditions(groups: ["staff"])]))),
            ])
    ]

    var port: Int { server.listening.first?.port ?? 0 }

    func connect() throws -> RawClient { try RawClient(port: port) }

    /// One request on a connection of its own.
    func send(_ text: String, hasBody: Bool = true) async throws -> Answer {
        let client = try connect()
        try await client.write(text)
        return try await client.readAnswer(hasBody: hasBody)
    }

    /// A GET with further header lines.
    func get(_ path: String, _ lines: [String] = [], host: String = "wiki.example.com") async throws -> Answer {
        try await send(Self.request("GET", path, lines, host: host))
    }

    static func request(_ method: String, _ path: String, _ lines: [String] = [], host: String = "wiki.example.com")
        -> String
    {
        "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    func stop() async {
        await server.stop(drain: .zero)
        origin.stop()
    }
}

/// Runs `body` with a server that is stopped in any case.
func withHarness(_ harness: Harness, _ body: (Harness) async throws -> Void) async throws {
    do {
        try await body(harness)
    } catch {
        await harness.stop()
        throw error
    }
    await harness.stop()
}

final class LogRecords: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }

    func contains(_ text: String) -> Bool { lines.withLock { $0.contains { $0.contains(text) } } }

    var all: [String] { lines.withLock { $0 } }
}

struct RecordingLogHandler: LogHandler {
    private let records: LogRecords
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    init(_ records: LogRecords) { self.records = records }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = event.metadata ?? [:]
        let text = details.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        records.add("\(event.level) \(event.message) \(text)")
    }
}
