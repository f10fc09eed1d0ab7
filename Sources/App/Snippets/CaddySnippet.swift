internal import Policy
internal import Settings

/// Sites for a Caddyfile.
struct CaddySnippet {
    let site: SnippetSite

    func render() throws(CommandFailure) -> String {
        try site.requirePrefixes("Caddy")
        var text = site.heading(
            "caddy",
            tunnels: "A WebSocket or stream that Caddy has opened stays open when its session or key is revoked; "
                + "inline, Gatehouse closes it within a second.")
        text += site.blocks.map { "\n" + server($0) }.joined()
        if !site.blocks.contains(where: { $0.hosts.contains(site.portalHost) }) {
            text += """

                # The portal's own host.
                \(addresses([site.portalHost], site.portalScheme)) {
                \(binding.indented(4))\(own.indented(4))    reverse_proxy \(gatehouse)
                }

                """
        }
        return text
    }

    private var gatehouse: String {
        if let (host, port) = site.gatehouseAuthority {
            return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
        if case .unix(let path) = site.gatehouse { return "unix/\(path)" }
        return ""
    }

    private func addresses(_ hosts: [String], _ scheme: Scheme) -> String {
        let port = site.listen.map { ":" + ($0.split(separator: ":").last.map(String.init) ?? "80") } ?? ""
        let start = (site.listen == nil ? scheme : .http) == .https ? "https://" : "http://"
        return hosts.isEmpty ? start + port : hosts.map { start + $0 + port }.joined(separator: ", ")
    }

    private var binding: String {
        guard let listen = site.listen, let colon = listen.lastIndex(of: ":") else { return "" }
        return "bind \(listen[..<colon])\n"
    }

    private func server(_ block: SnippetSite.Block) -> String {
        var body = own
        for app in block.apps {
            if !app.prefix.isEmpty {
                // `path` would compare without case, which the rules do not.
                body += "@\(app.identifier) path_regexp \(app.pattern)\n"
            }
            body += "handle\(app.prefix.isEmpty ? "" : " @\(app.identifier)") {\n" + handling(app).indented(4) + "}\n"
        }
        // `route` keeps the order in which they stand.
        body = binding + "route {\n" + body.indented(4) + "}\n"
        return addresses(block.hosts, block.apps.first?.scheme ?? site.portalScheme) + " {\n" + body.indented(4) + "}\n"
    }

    private func handling(_ app: SnippetSite.App) -> String {
        let told = site.identityNames + SnippetSite.credentialNames + ["X-Request-Id"]
        var text = ""
        // Whatever `Connection` names falls out behind the check: a client could take the user away from the app.
        var body = """
            # What `Connection` names does not reach the app; it must not name what Gatehouse says. WebSockets alone go on:
            # with `Upgrade: h2c` an app that speaks HTTP/2 would take requests that nobody judges.
            @ordinary not header_regexp Upgrade (?i)^websocket$
            @upgrade header_regexp Upgrade (?i)^websocket$
            request_header @ordinary -Connection
            request_header @ordinary -Upgrade
            request_header @upgrade Connection Upgrade
            request_header @upgrade Upgrade websocket

            """
        body += "# Names that only Gatehouse may speak, in the spellings that servers take for one.\n"
        for pattern in [
            "Remote-*", "X-Remote*", "X-Auth*", "X-Webauth*", "X-Gatehouse*", "X-Client-Cert*", "X-Original*",
            "X-Envoy*", "X-Http-Method*", "X-Method-*", "Proxy-*", "*_*", "*.*", "*!*", "*#*", "*$*", "*%*", "*&*",
            "*'*", "***", "*+*", "*^*", "*`*", "*|*", "*~*",
        ] {
            body += "request_header -\(pattern)\n"
        }
        // Caddy's own are among the one, and the key that the check reads among the other.
        let families =
            SnippetSite.patterns(of: "X-Forwarded-", keeping: ["f", "h", "p"])
            + SnippetSite.patterns(of: "Gatehouse-", keeping: ["k"])
        for pattern in families { body += "request_header -\(pattern)\n" }
        for name in site.foreign(besides: told) where name != "Gatehouse-Key" { body += "request_header -\(name)\n" }
        // The answers of the other routes do not have it.
        if told.contains(IdentityHeaders.accessTokenName) {
            body += "request_header -\(IdentityHeaders.accessTokenName)\n"
        }
        body += """
            forward_auth \(gatehouse) {
                # Without a `?` of its own this has the client's query, which Gatehouse does not look at.
                uri /.auth/check/caddy
                # Every one of them is in every answer: Caddy before 2.11.2 leaves the client's own otherwise.
                copy_headers \((told + ["Gatehouse-Key"]).joined(separator: " "))
            }
            reverse_proxy \(app.servers.map(server).joined(separator: " ")) {
                header_up -Gatehouse-Key
            \(app.keepsHost ? "" : "    header_up Host {upstream_hostport}\n")\(transport(app))}

            """
        // In a `handle` alone Caddy would sort them, and take out what the check has just put in.
        text += "route {\n" + body.indented(4) + "}\n"
        return text
    }

    private func transport(_ app: SnippetSite.App) -> String {
        app.serverName.map { "    transport http {\n        tls_server_name \($0)\n    }\n" } ?? ""
    }

    private func server(_ endpoint: Settings.Upstream.Endpoint) -> String {
        if case .unix(let path) = endpoint { return "unix/\(path)" }
        return "\(endpoint)"
    }

    /// What Gatehouse serves on every host. Nobody may ask for a check: whoever does describes the request himself.
    private var own: String {
        """
        handle /.auth/check* {
            respond 404
        }
        handle /.auth/* {
            reverse_proxy \(gatehouse)
        }

        """
    }
}
