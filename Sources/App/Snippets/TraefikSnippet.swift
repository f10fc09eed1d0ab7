internal import Policy
internal import Settings

/// A dynamic configuration for Traefik's file provider.
struct TraefikSnippet {
    let site: SnippetSite

    func render() throws(CommandFailure) -> String {
        guard let (host, port) = site.gatehouseAuthority else {
            throw CommandFailure(.usage, "Traefik asks by TCP only; let an item of listen with an address serve check")
        }
        let address = "http://" + (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
        var text = site.heading(
            "traefik",
            tunnels: "A WebSocket or stream that Traefik has opened stays open when its session or key is revoked; "
                + "inline, Gatehouse closes it within a second.")
        text += "http:\n  middlewares:\n"
        for app in site.apps {
            text += middleware(
                "gatehouse-\(app.identifier)",
                address + "/.auth/check/traefik?route=\(SnippetSite.escaped(app.route))")
        }
        text += "\n  routers:\n"
        // The first that fits, as in the configuration; without a number the longest rule would win.
        var priority = 50_000
        var routers: Set<String> = []
        for block in site.blocks {
            for app in block.apps {
                var name = "app-\(app.identifier)"
                while !routers.insert(name).inserted { name += "-more" }
                text += router(name, app, in: block, priority)
                priority -= 1
            }
        }
        text += own
        text += "\n  services:\n    gatehouse: { loadBalancer: { servers: [ { url: \"\(address)\" } ] } }\n"
        for app in site.apps {
            let servers = try app.servers.map { endpoint throws(CommandFailure) in "{ url: \"\(try url(endpoint))\" }" }
            let transport = app.serverName == nil ? "" : "serversTransport: app-\(app.identifier), "
            text +=
                "    app-\(app.identifier): { loadBalancer: { passHostHeader: \(app.keepsHost), \(transport)"
                + "servers: [ \(servers.joined(separator: ", ")) ] } }\n"
        }
        let named = site.apps.compactMap { app in app.serverName.map { (app.identifier, $0) } }
        if !named.isEmpty { text += "\n  serversTransports:\n" }
        for (identifier, name) in named { text += "    app-\(identifier): { serverName: \"\(name)\" }\n" }
        return text
    }

    private func url(_ endpoint: Settings.Upstream.Endpoint) throws(CommandFailure) -> String {
        if case .unix(let path) = endpoint {
            throw CommandFailure(.usage, "Traefik reaches no unix socket like \(path); let the app listen on TCP")
        }
        return "\(endpoint)"
    }

    private func middleware(_ name: String, _ address: String) -> String {
        // What is listed and not in the answer is taken out.
        let listed = site.identityNames + SnippetSite.credentialNames + ["X-Request-Id"]
        // Those of the address are Traefik's own: it takes the client's out itself.
        let all = listed + site.foreign(besides: listed + SnippetSite.addressNames)
        var text = """
            \(name):
              forwardAuth:
                address: "\(address)"
                # Everything of an answer is small; without a bound Traefik warns.
                maxResponseBodySize: 65536
                # The client's are taken out, then those of the answer put in: what is listed and not there is gone.
                authResponseHeaders:

            """
        for name in all { text += "      - \(name)\n" }
        text += """
                # The same in other spellings, which servers fold into one: every name with a `_`, `.` or the like.
                authResponseHeadersRegex: '(?i)^(remote|x-remote|x-auth-request|x-webauth|x-gatehouse|gatehouse|x-original|x-envoy|proxy)-|^x-client-cert|^x-forwarded-([^fhps]|f[^o]|h[^o]|p[^or]|s[^e])|[^a-z0-9-]'

            """
        return text.indented(4)
    }

    private func router(
        _ name: String, _ app: SnippetSite.App, in block: SnippetSite.Block, _ priority: Int
    ) -> String {
        var rule = hosts(block.hosts)
        if !app.prefix.isEmpty { rule += (rule.isEmpty ? "" : " && ") + path(app) }
        if rule.isEmpty { rule = "PathPrefix(`/`)" }
        rule += Self.upgrades
        return """
            \(name):
              rule: '\(rule)'
              middlewares: [ gatehouse-\(app.identifier) ]
              service: app-\(app.identifier)\(tls(app.scheme))
              priority: \(priority)

            """.indented(4)
    }

    /// Traefik passes any `Upgrade` on; with these an app that speaks HTTP/2 would take requests that nobody judges.
    private static let upgrades = " && !HeaderRegexp(`Upgrade`, `(?i)h2|http|tls`)"

    private func path(_ app: SnippetSite.App) -> String { "PathRegexp(`\(app.pattern)`)" }

    private func hosts(_ hosts: [String]) -> String {
        let rules = hosts.map { host in
            guard host.hasPrefix("*.") else { return "Host(`\(host)`)" }
            return "HostRegexp(`^.+\\.\(SnippetSite.literal(String(host.dropFirst(2))))$`)"
        }
        return rules.count > 1 ? "(" + rules.joined(separator: " || ") + ")" : rules.first ?? ""
    }

    private func tls(_ scheme: Scheme) -> String { site.listen == nil && scheme == .https ? "\n  tls: {}" : "" }

    /// The portal, and what Gatehouse serves on every host. Nobody may ask for a check: whoever does describes the
    /// request himself.
    private var own: String {
        """
            gatehouse-own:
              rule: 'PathPrefix(`/.auth/`) && !PathPrefix(`/.auth/check`)'
              priority: 100000
              service: gatehouse\(tls(site.portalScheme).indented(4))
            gatehouse-portal:
              rule: 'Host(`\(site.portalHost)`) && !PathPrefix(`/.auth/check`)'
              service: gatehouse\(tls(site.portalScheme).indented(4))

        """
    }
}
