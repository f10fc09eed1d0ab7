internal import Policy
internal import Settings

/// For nginx's `http` block.
struct NginxSnippet {
    let site: SnippetSite

    func render() -> String {
        var text = site.heading(
            "nginx",
            tunnels: "A WebSocket or stream that nginx has opened stays open when its session or key is revoked; "
                + "inline, Gatehouse closes it within a second."
                + (speaksHTTP2 ? " By hand: nginx speaks no HTTP/2 to apps but by grpc_pass." : ""))
        text += """

            # Without keepalive here and HTTP/1.1 below, every check would open a connection.
            upstream gatehouse { server \(gatehouse); keepalive 32; }

            """
        for app in site.apps {
            text +=
                "upstream app_\(app.identifier) { "
                + app.servers.map { "server \(server($0)); " }.joined() + "keepalive 32; }\n"
        }
        text += """

            # WebSockets alone: with `Upgrade: h2c` an app that speaks HTTP/2 would take requests that nobody judges.
            map $http_upgrade $gatehouse_upgrade { default ""; ~*^websocket$ websocket; }
            map $http_upgrade $gatehouse_connection { default ""; ~*^websocket$ upgrade; }

            # nginx chooses the server by the host of the request line, if there is one, and Gatehouse is asked about that of
            # `Host`: they must be the same.
            map "$host $http_host" $gatehouse_host_differs { default 1; "~*^([^ ]+) \\1\\.?(:[0-9]+)?$" 0; }


            """ + strangers
        text += site.blocks.map(server).joined(separator: "\n")
        if !site.blocks.contains(where: { $0.hosts.contains(site.portalHost) }) { text += "\n" + portal }
        return text
    }

    private var speaksHTTP2: Bool {
        site.apps.flatMap(\.servers).contains { if case .h2c = $0 { true } else { false } }
    }

    private var gatehouse: String {
        if let (host, port) = site.gatehouseAuthority { return authority(host, port) }
        if case .unix(let path) = site.gatehouse { return "unix:\(path)" }
        return ""
    }

    private func authority(_ host: String, _ port: UInt16) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private func isTLS(_ app: SnippetSite.App) -> Bool {
        if case .https? = app.servers.first { true } else { false }
    }

    private func server(_ endpoint: Settings.Upstream.Endpoint) -> String {
        switch endpoint {
        case .http(let host, let port), .https(let host, let port), .h2c(let host, let port): authority(host, port)
        case .unix(let path): "unix:\(path)"
        }
    }

    private func scheme(of block: SnippetSite.Block) -> Scheme { block.apps.first?.scheme ?? site.portalScheme }

    /// Without a default of its own each listener would give hosts that nobody named to its first server.
    private var strangers: String {
        let taken = site.blocks.filter(\.hosts.isEmpty).map(scheme)
        let used = site.blocks.map(scheme) + [site.portalScheme]
        let schemes = site.listen == nil ? [Scheme.http, .https].filter(used.contains) : [Scheme.http]
        let text = schemes.filter { !(site.listen == nil ? taken.contains($0) : !taken.isEmpty) }.map { scheme in
            let port = site.listen ?? (scheme == .https ? "443 ssl" : "80")
            let body =
                "listen \(port) default_server;\nserver_name _;\n"
                + (port == "443 ssl" ? "ssl_reject_handshake on;\n" : "") + "return 421;\n"
            return "server {\n" + body.indented(4) + "}\n"
        }
        guard !text.isEmpty else { return "" }
        return "# Hosts that no route names: nginx would give them to the first server.\n" + text.joined() + "\n"
    }

    /// `listen` and, for https, where the certificate is expected.
    private func listening(_ hosts: [String], _ scheme: Scheme) -> String {
        let rest = hosts.isEmpty ? " default_server" : ""
        if let listen = site.listen { return "listen \(listen)\(rest);\n" }
        guard scheme == .https else { return "listen 80\(rest);\n" }
        let name = (hosts.first ?? "default").replacing("*", with: "wildcard")
        return """
            listen 443 ssl\(rest);
            ssl_certificate /etc/ssl/\(name).pem;
            ssl_certificate_key /etc/ssl/private/\(name).key;

            """
    }

    private func server(_ block: SnippetSite.Block) -> String {
        var text = "server {\n"
        var body = listening(block.hosts, scheme(of: block))
        body += "server_name \(block.hosts.isEmpty ? "_" : block.hosts.joined(separator: " "));\n"
        body += """
            # The default of nginx: `remote_user` and its like never reach an app that reads them as `Remote-User`.
            underscores_in_headers off;
            proxy_http_version 1.1;
            # As many names of headers as are set below.
            proxy_headers_hash_max_size 2048;
            proxy_headers_hash_bucket_size 128;
            if ($gatehouse_host_differs) { return 421; }


            """
        for app in block.apps {
            body += check(app)
            body += location(app)
        }
        body += refusals
        body += own
        text += body.indented(4)
        return text + "}\n"
    }

    private func check(_ app: SnippetSite.App) -> String {
        // An access token has up to 8 KiB, beside the client's own cookies.
        let buffer = app.headers.contains(IdentityHeaders.accessTokenName) ? "32k" : "16k"
        return """
            location = /internal/gatehouse/\(app.identifier) {
                internal;
                proxy_pass http://gatehouse/.auth/check/nginx?route=\(SnippetSite.escaped(app.route));
                # The request that is asked about: the path as it came.
                proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
                proxy_set_header X-Original-Method $request_method;
                proxy_set_header X-Forwarded-For $remote_addr;
                proxy_set_header Connection "";
                # A check needs no body.
                proxy_pass_request_body off;
                proxy_set_header Content-Length "";
                # An answer with many groups and an assertion is longer than the default of 4k; over it the client gets 500.
                proxy_buffer_size \(buffer);
                proxy_buffers 4 \(buffer);
                proxy_connect_timeout 2s;
                proxy_read_timeout 5s;
            }


            """
    }

    private func location(_ app: SnippetSite.App) -> String {
        func variable(_ name: String) -> String { "$gatehouse_" + upstream(name) }
        func upstream(_ name: String) -> String { name.lowercased().replacing("-", with: "_") }
        let told = app.headers + SnippetSite.credentialNames
        var body = "auth_request /internal/gatehouse/\(app.identifier);\n\n"
        for name in app.headers { body += "auth_request_set \(variable(name)) $upstream_http_\(upstream(name));\n" }
        body +=
            "# The client's own, with every credential of Gatehouse taken out: no app holds a key that opens another.\n"
        for name in SnippetSite.credentialNames {
            body += "auth_request_set \(variable(name)) $upstream_http_\(upstream(name));\n"
        }
        body += """

            auth_request_set $gatehouse_location $upstream_http_location;
            auth_request_set $gatehouse_reason $upstream_http_gatehouse_reason;
            auth_request_set $gatehouse_request $upstream_http_x_request_id;
            auth_request_set $gatehouse_challenge $upstream_http_www_authenticate;
            error_page 401 = @gatehouse_401;
            error_page 403 = @gatehouse_403;

            # Here, beside proxy_pass: one proxy_set_header in a location drops all that it would have inherited.
            # nginx does not send a header whose value is empty.

            """
        let target = app.servers.first.map(server) ?? ""
        body += "proxy_pass \(isTLS(app) ? "https" : "http")://app_\(app.identifier);\n"
        if case .https(let host, _)? = app.servers.first {
            body += """
                proxy_ssl_verify on;
                proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
                proxy_ssl_server_name on;
                proxy_ssl_name \(app.serverName ?? host);

                """
        }
        body += app.keepsHost ? "proxy_set_header Host $http_host;\n" : "proxy_set_header Host \(target);\n"
        body += """
            proxy_set_header Upgrade $gatehouse_upgrade;
            proxy_set_header Connection $gatehouse_connection;
            proxy_read_timeout \(app.idleSeconds)s;
            client_max_body_size \(app.maximumBody ?? 0);
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Request-Id $gatehouse_request;

            """
        for name in told { body += "proxy_set_header \(name) \(variable(name));\n" }
        body += """
            # Other names under which an app may look for a user, a path or a method: never the client's. nginx takes out names, no
            # families of them: whatever else your app believes belongs here too.

            """
        for name in site.foreign(besides: told + ["X-Real-IP"]) { body += "proxy_set_header \(name) \"\";\n" }
        return "location \(app.prefix.isEmpty ? "/" : "~ " + app.pattern) {\n" + body.indented(4)
            + "}\n\n"
    }

    private var refusals: String {
        """
        # `error_page 401 =302 $location` would redirect an XHR to nowhere. Here a redirect follows only when Gatehouse named a
        # place, which it does for navigations alone.
        location @gatehouse_401 {
            if ($gatehouse_location) { return 302 $gatehouse_location; }
            default_type application/problem+json;
            # WWW-Authenticate is there already: nginx takes that of a 401 over from the check.
            add_header Gatehouse-Reason $gatehouse_reason always;
            add_header X-Request-Id $gatehouse_request always;
            add_header Cache-Control no-store always;
            return 401 '{"title":"Unauthorized","status":401,"code":"$gatehouse_reason"}\\n';
        }

        location @gatehouse_403 {
            if ($gatehouse_location) { return 302 $gatehouse_location; }
            default_type application/problem+json;
            add_header WWW-Authenticate $gatehouse_challenge always;
            add_header Gatehouse-Reason $gatehouse_reason always;
            add_header X-Request-Id $gatehouse_request always;
            add_header Cache-Control no-store always;
            return 403 '{"title":"Forbidden","status":403,"code":"$gatehouse_reason"}\\n';
        }


        """
    }

    /// What Gatehouse serves on every host.
    private var own: String {
        """
        # `^~`: a hardening rule such as `location ~ /\\.` would win otherwise. Whoever asks for a check describes the request
        # himself, so no client may.
        location ^~ /.auth/check { return 404; }
        location ^~ /.auth/ {
        \(forwarding.indented(4))
        }

        """
    }

    private var forwarding: String {
        """
        proxy_pass http://gatehouse;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header Connection "";
        proxy_buffer_size 16k;
        proxy_buffers 4 16k;
        """
    }

    private var portal: String {
        let body =
            listening([site.portalHost], site.portalScheme) + """
                server_name \(site.portalHost);
                proxy_http_version 1.1;
                if ($gatehouse_host_differs) { return 421; }

                location ^~ /.auth/check { return 404; }
                location / {
                \(forwarding.indented(4))
                }

                """
        return "# The portal's own host.\nserver {\n" + body.indented(4) + "}\n"
    }
}
