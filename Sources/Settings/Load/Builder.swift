import Core
import Policy

/// Makes ``Settings`` from the maps of all files. A value that was refused leaves a harmless stand-in behind, so that
/// the rest is checked too; it never gets out, since its problem stops the whole.
struct Builder {
    let reading: Reading
    let root: MapView
    let included: [MapView]
    let secrets: Settings.SecretUse
    let certificates: (any CertificateInspecting)?
    let templates: (any TemplateInspecting)?
    /// What webhooks can be told of; nil: not known.
    let eventTypes: [String]?
    /// Whether the system has a group of this name; nil: not known.
    let groupExists: ((String) -> Bool)?
    /// The origin that stays in force whatever is written: its scheme is the default of every route.
    let keptPublicURL: Origin?

    /// Included files first, as their routes come first.
    var all: [MapView] { included + [root] }

    /// - Returns: nil only after a problem was reported.
    func build() -> Settings? {
        let publicURL = readPublicURL()
        let trusted = readTrustedProxies()
        let upstreams = readUpstreams()
        let apiKeys = readAPIKeys()
        let issuers = readIssuers(publicURL: keptPublicURL ?? publicURL)
        let providers = readProviders()
        let listeners = readListeners(trusted)
        let sessions = readSessions(publicURL: keptPublicURL ?? publicURL)
        let routes = RouteBuilder(
            builder: self, publicURL: keptPublicURL ?? publicURL, upstreams: upstreams, trusted: trusted,
            issuers: issuers, providers: providers.map(\.id),
            tokenless: Set(providers.lazy.filter { $0.kind == .apple }.map(\.id)), sessions: sessions,
            asksForCertificates: listeners.contains { $0.listener.tls?.clientAuthorities != nil }
        ).build()
        warnAboutOpenDoors(providers, routes)
        let monitor = readMonitor(beside: listeners)
        let masterKey = readMasterKey()
        let previous = readPreviousMasterKeys()
        let proxySecret = readProxySecret(trusted)
        let log = readLog()
        let mail = readMail()
        let login = readLogin(publicURL: keptPublicURL ?? publicURL, providers: providers)
        checkMail(login, mail)
        warnAboutNoWayIn(login)
        let audit = readAudit()
        let store = root.map("store").size("max_size", minimum: 1 << 20)
        let drain = root.duration("drain", minimum: 0)
        let workers = readWorkers()
        let reload = root.choice("reload", of: Settings.Reload.self) ?? .signal
        guard let data = root.filled("data_dir"), let publicURL, let monitor, let store, let drain else {
            return nil
        }
        return Settings(
            publicURL: publicURL, listeners: listeners.map(\.listener), monitorListener: monitor,
            dataFolder: reading.resolve(data.text), storeMaximumSize: store, masterKey: masterKey,
            previousMasterKeys: previous, workers: workers, reload: reload, drain: drain, trustedProxies: trusted,
            proxySecret: proxySecret.secret, requiresProxySecret: proxySecret.isRequired, log: log,
            upstreams: upstreams.map(\.upstream), routes: routes, issuers: issuers,
            sessions: sessions, tokens: readTokens(), apiKeys: apiKeys, login: login, limits: readLimits(),
            mail: mail, notifications: readNotifications(), webhooks: readWebhooks(), audit: audit,
            branding: readBranding())
    }

    private func readPublicURL() -> Origin? {
        guard let (text, value) = root.required("public_url") else { return nil }
        guard let origin = Origin(text) else {
            reading.refuse(value, expected: "an origin like https://auth.example.com: no user, path, query or fragment")
            return nil
        }
        if origin.scheme == .http, !origin.isLoopback, !Loopback.isLocalhost(origin.host) {
            reading.warning(
                value.location, value.path,
                "\(origin) is plain http, so credentials can be read on the way; expected https, or http on loopback")
        }
        return origin
    }

    private func readWorkers() -> Int? {
        guard let (text, value) = root.filled("workers"), text != "auto" else { return nil }
        guard let number = Measures.wholeNumber(text), (1...1024).contains(number) else {
            reading.refuse(value)
            return nil
        }
        return number
    }

    private func readLog() -> Settings.Log {
        let view = root.map("log")
        return Settings.Log(
            format: view.choice("format", of: Settings.Log.Format.self) ?? .auto,
            level: view.choice("level", of: Settings.Log.Level.self) ?? .info, requests: readRequests(view))
    }

    private func readRequests(_ view: MapView) -> Settings.Log.Requests {
        guard let (text, value) = view.filled("requests") else { return .denied }
        switch text {
        case "none": return .none
        case "denied": return .denied
        case "all": return .all
        default:
            let number = text.dropLast()
            let isDecimal = number.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
            if text.hasSuffix("%"), isDecimal, number.utf8.count <= 8, let percent = Double(String(number)),
                percent > 0, percent <= 100
            {
                return .share(percent: percent)
            }
            reading.refuse(value, text, among: ["none", "denied", "all"])
            return .denied
        }
    }

    private func readAudit() -> Settings.Audit {
        let view = root.map("audit")
        return Settings.Audit(
            access: view.choice("access", of: Settings.Audit.Access.self) ?? .daily,
            retention: view.duration("retention", minimum: 86400) ?? .zero)
    }

    private func readAPIKeys() -> Settings.APIKeys {
        let view = root.map("api_keys")
        var scopes: [Settings.APIKeys.Scope] = []
        for entry in included.flatMap({ $0.entries("scopes") }) + view.entries("scopes") {
            let path = entry.value.path
            let isToken =
                !entry.name.isEmpty
                && entry.name.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c }
            if !isToken || entry.name.utf8.count > 128 {
                reading.problem(
                    entry.location, path, "a scope is 1 to 128 printable ASCII characters without space, \" and \\")
            } else if scopes.contains(where: { $0.name == entry.name }) {
                reading.problem(entry.location, path, "there are two scopes of this name")
            } else if let text = entry.value.text {
                scopes.append(.init(name: entry.name, summary: text))
            } else {
                reading.refuse(entry.value)
            }
        }
        let keys = Settings.APIKeys(
            scopes: scopes, requiresRoutes: view.boolean("require_routes") ?? true,
            defaultLifetime: view.duration("default_lifetime") ?? .zero,
            maximumLifetime: view.duration("max_lifetime") ?? .seconds(Int64.max))
        if keys.defaultLifetime > keys.maximumLifetime {
            reading.problem(
                view.location(of: "default_lifetime"), Problem.join(view.path, "default_lifetime"),
                "is longer than max_lifetime, so no key could be made without naming a lifetime")
        }
        return keys
    }
}
