internal import Core
internal import Settings

/// The configuration that `init` writes: short, and every line means something.
struct InitialConfiguration {
    let origin: Origin
    let dataFolder: String
    /// Nil: every app is on the portal's own host.
    let cookieDomain: String?
    let apps: [AppArgument]

    var text: String {
        var lines = [
            "# Every key with its default and what it does: gatehouse.yaml in the folder config/ of the documentation.",
            "public_url: \(origin)",
            "data_dir: \(dataFolder)",
            "master_key: { file: master.key }",
        ]
        if let ownAddress { lines.insert("listen: [ { address: \"\(ownAddress)\" } ]", at: 2) }
        if let cookieDomain {
            lines += [
                "# Browsers show the apps below this domain who has signed in, and without it the host of public_url alone.",
                "sessions: { cookie: { domain: \(cookieDomain) } }",
            ]
        }
        let apps = apps.map { (name: Self.name(of: $0.host), host: $0.host, url: $0.url) }
        if !apps.isEmpty { lines.append("upstreams:") }
        for app in apps { lines.append("  \(app.name): { url: \"\(app.url)\" }") }
        lines.append("routes:")
        for app in apps {
            lines += [
                "  - name: \(app.name)", "    host: \"\(app.host)\"", "    upstream: \(app.name)", "    rules:",
                "      - { allow: signed_in }",
            ]
        }
        if apps.isEmpty {
            lines += [
                "  # For a proxy that asks by check requests; give each app its own route when their rules differ. Apps on",
                "  # other hosts than that of public_url need sessions: { cookie: { domain: DOMAIN-ABOVE-ALL } }.",
                "  - name: everything", "    rules:", "      - { allow: signed_in }",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Where browsers of this machine come for an origin of this machine; nil: to the default of `listen`, or to a proxy.
    private var ownAddress: String? {
        guard !apps.isEmpty, origin.scheme == .http else { return nil }
        let host = Loopback.isLocalhost(origin.host) ? "127.0.0.1" : origin.host
        guard Loopback.isHost(host), "\(host):\(origin.port)" != "127.0.0.1:8080" else { return nil }
        return "\(host):\(origin.port)"
    }

    private static func name(of host: String) -> String {
        String(host.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == ".") ? $0 : "-" })
    }
}
