internal import Core
internal import Policy
internal import Settings

/// What a proxy's configuration is written from: the loaded routes, by host.
struct SnippetSite {
    /// One route as a proxy sees it.
    struct App {
        /// The route's name, as it is configured.
        let route: String
        /// The same in letters, digits and `_`, unique.
        let identifier: String
        /// Canonical patterns; nil: every host.
        let hosts: [String]?
        /// Where its part of the host begins, without the last slash; empty: everywhere.
        let prefix: String
        /// Whether `prefix` says all of its paths.
        let isPrefix: Bool
        let ignoresCase: Bool
        /// Empty when the route has no upstream.
        let servers: [Settings.Upstream.Endpoint]
        let keepsHost: Bool
        /// Whose certificate an https app shows, where that is not the host of its url.
        let serverName: String?
        /// Its identity headers, the assertion's with them.
        let headers: [String]
        let scheme: Scheme
        let idleSeconds: Int64
        let maximumBody: UInt64?
    }

    /// All routes of one host, those of wider patterns among them, in the order of the configuration; or of several hosts
    /// whose routes are the same.
    struct Block {
        /// Empty: every host that no other block names. A wildcard stands alone.
        let hosts: [String]
        let apps: [App]
    }

    /// Of every route, in their order.
    let apps: [App]
    /// Names before wildcards, long wildcards before short ones, every other host at the end.
    let blocks: [Block]
    let portalHost: String
    let portalScheme: Scheme
    /// Where Gatehouse answers checks.
    let gatehouse: Settings.ListenAddress
    /// Where the proxy is to listen, `HOST:PORT`; nil: the scheme's own port.
    let listen: String?
    /// What is not in the snippet and has to be written by hand.
    let notes: [String]

    /// Every identity header of every route, in their order.
    var identityNames: [String] {
        var names: [String] = []
        for name in apps.flatMap(\.headers)
        where !names.contains(where: { $0.lowercased() == name.lowercased() }) {
            names.append(name)
        }
        return names
    }

    /// Where a credential of ours may stand beside one of the app's.
    static let credentialNames = ["Cookie", "Authorization", "X-API-Key"]

    /// - Parameter listen: `--listen`.
    init(_ settings: Settings, listen: String?) throws(CommandFailure) {
        guard let listener = Self.listener(of: settings) else {
            throw CommandFailure(.usage, "no item of listen serves check: the proxy has nobody to ask")
        }
        if case .systemd(let name) = listener.address {
            throw CommandFailure(
                .usage, "listen: systemd:\(name) does not say where the proxy can ask; name an address")
        }
        gatehouse = listener.address
        self.listen = listen
        portalHost = settings.publicURL.host
        portalScheme = settings.publicURL.scheme == .https ? .https : .http
        var notes: [String] = []
        var taken: Set<String> = []
        apps = settings.routes.map { Self.app($0, settings, &taken, &notes) }
        blocks = Self.blocks(of: apps)
        if settings.trustedProxies.networks.isEmpty, !settings.trustedProxies.unix {
            notes.append("trusted_proxies is empty: Gatehouse answers 404 to this proxy until its address is there.")
        }
        if settings.requiresProxySecret {
            notes.append("proxy_secret: the proxy must send Gatehouse-Proxy-Secret with every check.")
        }
        if listener.tls != nil { notes.append("The listener that serves check speaks TLS: ask it by https.") }
        if !listener.services.contains(.portal) {
            notes.append(
                "\(listener.address) does not serve portal: send /.auth/ and \(portalHost) to a listener that does.")
        }
        if listener.takesProxyProtocol {
            notes.append("\(listener.address) wants a PROXY protocol header, which is not sent here.")
        }
        self.notes = notes
        for text in blocks.flatMap({ $0.hosts + $0.apps.map(\.prefix) }) + [portalHost, "\(gatehouse)"]
            + apps.compactMap(\.serverName) where !text.utf8.allSatisfy(Self.isPlain)
        {
            throw CommandFailure(.usage, "“\(text)” cannot be written into a proxy's configuration as it is")
        }
    }

    /// The one that a proxy can use as it is, where there is one: at an address, with the portal, without TLS and PROXY
    /// protocol.
    private static func listener(of settings: Settings) -> Settings.Listener? {
        func faults(_ listener: Settings.Listener) -> Int {
            var faults = 0
            if case .systemd = listener.address { faults += 8 }
            if !listener.services.contains(.portal) { faults += 4 }
            if listener.takesProxyProtocol { faults += 2 }
            if listener.tls != nil { faults += 1 }
            return faults
        }
        return settings.listeners.filter { $0.services.contains(.check) }.min { faults($0) < faults($1) }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case let byte: "-._~/:*[]@%".utf8.contains(byte)
        }
    }

    private static func app(
        _ route: Settings.Route, _ settings: Settings, _ taken: inout Set<String>, _ notes: inout [String]
    ) -> App {
        let upstream = settings.upstreams.first { $0.name == route.upstream }
        if upstream == nil {
            notes.append("route \(route.policy.name) has no upstream; 127.0.0.1:3000 stands for it.")
        }
        if !route.stripPrefix.isEmpty {
            notes.append("route \(route.policy.name) has strip_prefix \(route.stripPrefix), which is not done here.")
        }
        if let upstream, upstream.tls?.authorities != nil || upstream.tls?.keyPair != nil {
            let note = "upstream \(upstream.name) has a `ca` or a certificate of its own, which is not used here."
            if !notes.contains(note) { notes.append(note) }
        }
        let paths = route.policy.paths ?? ["/**"]
        var prefix = ""
        var isPrefix = false
        // With an escape proxies compare what it stands for, or how it is written.
        if let only = paths.first, paths.count == 1, only.hasSuffix("/**"),
            !only.dropLast(3).contains(where: { $0 == "*" || $0 == "%" })
        {
            prefix = String(only.dropLast(3))
            isPrefix = true
        } else {
            notes.append("route \(route.policy.name): its paths \(paths) are more than a prefix; write them by hand.")
        }
        var identifier = String(
            route.policy.name.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        while taken.contains(identifier) { identifier += "_" }
        taken.insert(identifier)
        return App(
            route: route.policy.name, identifier: identifier, hosts: route.policy.hosts?.map(Self.canonical),
            prefix: prefix, isPrefix: isPrefix, ignoresCase: route.policy.ignorePathCase,
            servers: upstream?.endpoints ?? [.http(host: "127.0.0.1", port: 3000)],
            keepsHost: upstream?.hostHeader != .upstream, serverName: upstream?.tls?.serverName,
            headers: route.policy.headerNames,
            scheme: route.policy.scheme, idleSeconds: upstream?.idleTimeout.components.seconds ?? 3600,
            maximumBody: route.maximumBody)
    }
}

extension SnippetSite {
    /// `text` as a regular expression that matches nothing else.
    static func literal(_ text: String) -> String {
        text.map { $0.isLetter || $0.isNumber || "-_/:@%~".contains($0) ? "\($0)" : "\\\($0)" }.joined()
    }

    /// The route's name as the value of a query.
    static func escaped(_ name: String) -> String {
        name.utf8.map { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: String(UnicodeScalar(byte))
            case _: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    /// `HOST:PORT` of Gatehouse, as another process on this machine reaches it; nil for a unix socket.
    var gatehouseAuthority: (host: String, port: UInt16)? {
        guard case .tcp(let host, let port) = gatehouse else { return nil }
        return (host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host, port)
    }

    /// The first lines of every snippet, each behind `mark`.
    func heading(_ proxy: String, tunnels: String, mark: String = "#") -> String {
        var text = ""
        let first = "Gatehouse's routes for \(proxy), written by `gatehouse snippet \(proxy)`. \(tunnels)"
        for paragraph in [first] + notes.map({ "By hand: " + $0 }) {
            var line = mark
            for word in paragraph.split(separator: " ") {
                if line.count + 1 + word.count > 118 {
                    text += line + "\n"
                    line = mark
                }
                line += " " + word
            }
            text += line + "\n"
        }
        return text
    }
}

extension String {
    /// Every line but empty ones moved to the right.
    func indented(_ count: Int) -> String {
        split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.isEmpty ? "" : String(repeating: " ", count: count) + $0
        }.joined(separator: "\n")
    }
}
