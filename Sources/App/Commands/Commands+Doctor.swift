internal import Core
internal import Cryptography
internal import NIOSSL
internal import Policy
internal import Settings

extension Commands {
    /// What `doctor` is asked, as typed.
    public struct Consultation: Sendable {
        var target: String
        var proxy: String?
        var proxyConfiguration: [String]
        var keyFile: String?
        var canary: String
        var connect: String?
        var authority: String?
        var openPath: String
        var closedPath: String

        /// - Parameters:
        ///   - target: the canary's URL as clients know it.
        ///   - proxy: the name of the proxy; nil: to be found out.
        ///   - proxyConfiguration: files of the proxy, to find lines in.
        ///   - keyFile: an API key that opens the closed path.
        ///   - canary: where the canary listens, as `HOST:PORT`.
        ///   - connect: where to connect to instead of the target's host, as `HOST:PORT`.
        ///   - authority: a file of certificates to trust besides the system's.
        public init(
            target: String, proxy: String?, proxyConfiguration: [String], keyFile: String?, canary: String,
            connect: String?, authority: String?, openPath: String, closedPath: String
        ) {
            self.target = target
            self.proxy = proxy
            self.proxyConfiguration = proxyConfiguration
            self.keyFile = keyFile
            self.canary = canary
            self.connect = connect
            self.authority = authority
            self.openPath = openPath
            self.closedPath = closedPath
        }
    }

    /// `doctor --target URL`: exit 0 when nothing leaks, 1 when something does, 2 when it cannot be told.
    public static func doctor(_ invocation: Invocation, _ consultation: Consultation) async throws {
        let settings = try invocation.load(secrets: .leave).settings
        let output = Output(json: invocation.json)
        let target = try ExplainedRequest(method: "GET", url: consultation.target, portalHost: "")
        let scheme = consultation.target.hasPrefix("https://") ? "https" : "http"
        let files = try consultation.proxyConfiguration.map { path throws(CommandFailure) in
            (name: path, text: try TextFile.read(path))
        }
        let kind = try proxyKind(consultation.proxy, files)
        let key = try consultation.keyFile.map { path throws(CommandFailure) in try readKey(path) }
        let listening = try Place(consultation.canary, standardPort: 9199)
        let front = try Place(target.host, standardPort: scheme == "https" ? 443 : 80)
        if key != nil, scheme == "http", consultation.connect == nil, !front.isOnThisMachine {
            throw CommandFailure(
                .usage,
                """
                --key-file would be sent over the network in the clear: name an https target, or say by --connect where \
                the proxy listens
                """)
        }
        let patient = try Patient(settings, host: target.host)
        let place = try patient.surroundings(scheme: scheme, settings, consultation, key: key)
        let client = try client(to: front, isTLS: scheme == "https", consultation)
        let canary: CanaryApp
        do {
            canary = try await CanaryApp.start(host: listening.host, port: listening.port)
        } catch {
            throw CommandFailure(
                .usage,
                "the canary cannot listen on \(consultation.canary): \(NetworkFailure.words(error)); --canary names "
                    + "another address")
        }
        let nonce = String(
            decoding: Base62.encode(try SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) }, width: 11),
            as: UTF8.self)
        let examination = Examination(
            place: place, client: client, canary: canary,
            isOpen: { method, target in patient.isOpen(method, target) }, nonce: nonce)
        let result: Examination.Result
        do {
            result = try await examination.run()
        } catch {
            await canary.stop()
            throw unreachable(error, consultation, target.host)
        }
        await canary.stop()
        let report = DoctorReport(
            target: consultation.target, proxy: kind ?? result.server.flatMap { ProxyKind(server: $0) },
            configuration: ProxyConfiguration(files), result)
        try output.value(report) { report.text }
        // Everything was said.
        if report.leaks > 0 { throw CommandFailure(.failed, "") }
    }

    private static func proxyKind(
        _ name: String?, _ files: [(name: String, text: String)]
    ) throws(CommandFailure) -> ProxyKind? {
        guard let name else { return files.lazy.compactMap { ProxyKind(configuration: $0.text) }.first }
        guard let kind = ProxyKind(rawValue: name) else {
            throw CommandFailure(
                .usage, "--proxy is one of \(ProxyKind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return kind
    }

    private static func readKey(_ path: String) throws(CommandFailure) -> String {
        let text = String(decoding: try TextFile.bytes(path).filter { $0 > 0x20 }, as: UTF8.self)
        guard text.hasPrefix("gate_"), text.utf8.count == Surroundings.falseKey.utf8.count else {
            throw CommandFailure(.usage, "\(path) holds no API key of Gatehouse")
        }
        return text
    }

    private static func client(
        to front: Place, isTLS: Bool, _ consultation: Consultation
    ) throws -> ProbeClient {
        let place = try consultation.connect.map { text throws(CommandFailure) in
            try Place(text, standardPort: isTLS ? 443 : 80)
        }
        let (host, port) = (place ?? front).reached
        guard isTLS else { return ProbeClient(host: host, port: port, tls: nil, serverName: nil) }
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let file = consultation.authority {
            configuration.additionalTrustRoots = [.file(file)]
        }
        return ProbeClient(
            host: host, port: port, tls: try NIOSSLContext(configuration: configuration),
            serverName: IPAddress(front.host) == nil ? front.host : nil)
    }

    private static func unreachable(
        _ error: any Error, _ consultation: Consultation, _ host: String
    ) -> CommandFailure {
        guard let error = error as? Examination.Unreachable else {
            return CommandFailure(
                .usage,
                "\(consultation.target) cannot be asked: \(NetworkFailure.words(error))\n--connect HOST:PORT says where the "
                    + "proxy listens, whatever the name means")
        }
        return CommandFailure(
            .usage,
            """
            \(error.problem)
            The doctor is itself the app behind \(host), for as long as it runs. Let your proxy treat that host like \
            every other app, with \(consultation.canary) as its app, and run this again.
            """)
    }
}

/// Host and port.
struct Place {
    /// An IPv6 address has no brackets.
    let host: String
    let port: Int

    /// Nothing that is sent there leaves this machine.
    var isOnThisMachine: Bool { Loopback.isHost(host) || Loopback.isLocalhost(host) }

    /// Where to connect to. Names below `localhost` are this machine, as for browsers, whether or not the resolver knows.
    var reached: (host: String, port: Int) {
        (Loopback.isLocalhost(host) ? "127.0.0.1" : host, port)
    }

    init(_ text: String, standardPort: Int) throws(CommandFailure) {
        var name = Substring(text)
        var port = standardPort
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]"),
            text[..<colon].firstIndex(of: ":") == nil || text.hasPrefix("[")
        {
            guard let number = Int(text[text.index(after: colon)...]), (1...65535).contains(number) else {
                throw CommandFailure(.usage, "“\(text)” is no HOST:PORT")
            }
            port = number
            name = text[..<colon]
        }
        if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
        guard !name.isEmpty else { throw CommandFailure(.usage, "“\(text)” is no HOST:PORT") }
        host = String(name)
        self.port = port
    }
}

/// The canary's route, as Gatehouse judges it.
struct Patient: Sendable {
    private let snapshot: Snapshot
    private let host: String
    private let route: Route

    init(_ settings: Settings, host: String) throws {
        snapshot = try settings.snapshot()
        self.host = host
        let name = Self.explanation(snapshot, host, "GET", "/").readings.first?.route
        guard let route = snapshot.routes.first(where: { $0.name == name }) else {
            throw CommandFailure(
                .usage,
                """
                no route takes \(host); this one lets the doctor see everything, with an app `canary` among the upstreams
                that is at the address of --canary:
                  - name: canary
                    host: [\(Self.withoutPort(host))]
                    upstream: canary
                    rules:
                      - { paths: ["/public/**"], allow: everyone }
                      - { allow: signed_in }
                """)
        }
        self.route = route
    }

    /// As a route names it.
    private static func withoutPort(_ host: String) -> String {
        guard let place = try? Place(host, standardPort: 0) else { return host }
        return place.host.contains(":") ? "\"[\(place.host)]\"" : place.host
    }

    /// Whether a request without a credential passes.
    func isOpen(_ method: String, _ target: String) -> Bool {
        var path = target.prefix { $0 != "?" }
        for scheme in ["http://", "https://"] where path.lowercased().hasPrefix(scheme) {
            path = path.dropFirst(scheme.count)
            path = path[(path.firstIndex(of: "/") ?? path.endIndex)...]
        }
        return Self.explanation(snapshot, host, method, path.isEmpty ? "/" : String(path)).verdict == .allow
    }

    private static func explanation(
        _ snapshot: Snapshot, _ host: String, _ method: String, _ path: String
    ) -> Explanation {
        let method = Array(method.utf8)
        let host = Array(host.utf8)
        let path = Array(path.utf8)
        let facts = Facts(
            method: method.span, host: host.span, path: path.span, clientAddress: nil, isPreflight: false,
            now: SystemClock().now())
        return snapshot.explain(facts, credential: .none)
    }

    func surroundings(
        scheme: String, _ settings: Settings, _ consultation: Commands.Consultation, key: String?
    ) throws(CommandFailure) -> Surroundings {
        for path in [consultation.openPath, consultation.closedPath] where !path.hasPrefix("/") || path.contains(" ") {
            throw CommandFailure(.usage, "“\(path)” is no path")
        }
        let hasOpen = isOpen("GET", consultation.openPath)
        let hasClosed = !isOpen("GET", consultation.closedPath)
        guard hasOpen || (hasClosed && key != nil) else {
            throw CommandFailure(
                .usage,
                """
                nothing could be told: the route \(route.name) lets nobody see \(consultation.openPath) without a \
                credential, and there is no key. Add the rule { paths: ["/public/**"], allow: everyone } before the \
                others, or give --key-file
                """)
        }
        let sessions = settings.sessions
        let names = SessionCookieNames(
            name: sessions.cookieName, domain: sessions.cookieDomain, isSecure: settings.publicURL.scheme == .https)
        return Surroundings(
            scheme: scheme, host: host, portal: String(settings.publicURL.description.split(separator: "/").last ?? ""),
            openPath: hasOpen ? consultation.openPath : nil, closedPath: hasClosed ? consultation.closedPath : nil,
            identityNames: route.headerNames, cookie: names.app, key: key)
    }
}
