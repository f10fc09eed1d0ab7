internal import Policy
internal import Settings

/// A whole static configuration for Envoy, or the parts of one.
struct EnvoySnippet {
    let site: SnippetSite

    func render() throws(CommandFailure) -> String {
        try site.requirePrefixes("Envoy")
        var hosts = ""
        for (index, block) in site.blocks.enumerated() { hosts += virtualHost(block, index) }
        if !site.blocks.contains(where: { $0.hosts.contains(site.portalHost) }) { hosts += portal }
        var clusters = cluster("gatehouse", [try address(of: site.gatehouse)], tls: nil)
        for app in site.apps {
            var tls: String?
            var isHTTP2 = false
            var servers: [String] = []
            for endpoint in app.servers {
                if case .https(let host, _) = endpoint { tls = app.serverName ?? host }
                if case .h2c = endpoint { isHTTP2 = true }
                servers.append(address(of: endpoint))
            }
            clusters += cluster("app_\(app.identifier)", servers, tls: tls, isHTTP2: isHTTP2)
        }
        return site.heading(
            "envoy",
            tunnels: "A WebSocket or stream that Envoy has opened stays open when its session or key is revoked; "
                + "inline, Gatehouse closes it within a second.")
            + listener.replacing("VIRTUAL_HOSTS\n", with: hosts.indented(12)).replacing(
                "FILTERS\n", with: filters.indented(10))
            + "  clusters:\n" + clusters.indented(2)
    }

    private func socket(_ host: String, _ port: UInt16) -> String {
        "socket_address: { address: \"\(host)\", port_value: \(port) }"
    }

    private func address(of listener: Settings.ListenAddress) throws(CommandFailure) -> String {
        if let (host, port) = site.gatehouseAuthority { return socket(host, port) }
        guard case .unix(let path) = listener else { throw CommandFailure(.usage, "no address to ask at") }
        return "pipe: { path: \"\(path)\" }"
    }

    private func address(of endpoint: Settings.Upstream.Endpoint) -> String {
        switch endpoint {
        case .http(let host, let port), .https(let host, let port), .h2c(let host, let port): socket(host, port)
        case .unix(let path): "pipe: { path: \"\(path)\" }"
        }
    }

    private var listener: String {
        let parts = (site.listen ?? (site.portalScheme == .https ? "0.0.0.0:443" : "0.0.0.0:80"))
            .split(separator: ":").map(String.init)
        let port = parts.last.flatMap { UInt16($0) } ?? 80
        let host = parts.count > 1 ? parts.dropLast().joined(separator: ":") : "0.0.0.0"
        return """
            static_resources:
              listeners:
              - address: { \(socket(host, port)) }
                filter_chains:
                - filters:\(tlsNote)
                  - name: envoy.filters.network.http_connection_manager
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                      stat_prefix: front
                      # The client is whoever connects here.
                      use_remote_address: true
                      skip_xff_append: false
                      # What is judged is what is forwarded.
                      normalize_path: true
                      merge_slashes: false
                      # Of the same host as without it, as the rules have it.
                      strip_trailing_host_dot: true
                      path_with_escaped_slashes_action: REJECT_REQUEST
                      common_http_protocol_options: { headers_with_underscores_action: DROP_HEADER }
                      upgrade_configs: [ { upgrade_type: websocket } ]
                      stream_idle_timeout: 0s
                      route_config:
                        ignore_port_in_host_matching: true
                        virtual_hosts:
            VIRTUAL_HOSTS
                      http_filters:
            FILTERS

            """
    }

    private var tlsNote: String {
        site.listen == nil && site.portalScheme == .https
            ? "  # beside it: transport_socket with your certificates (DownstreamTlsContext)" : ""
    }

    private func virtualHost(_ block: SnippetSite.Block, _ index: Int) -> String {
        let domains = block.hosts.isEmpty ? "\"*\"" : block.hosts.map { "\"\($0)\"" }.joined(separator: ", ")
        var routes = own
        for app in block.apps {
            var prefix = app.prefix.isEmpty ? "prefix: /" : "path_separated_prefix: \"\(app.prefix)\""
            if app.ignoresCase, !app.prefix.isEmpty {
                prefix = "safe_regex: { regex: '(?i)\(SnippetSite.literal(app.prefix))(/.*)?' }"
            }
            let host = app.keepsHost ? "" : ", auto_host_rewrite: true"
            routes += """
                - match: { \(prefix) }
                  route: { cluster: app_\(app.identifier), timeout: 0s, idle_timeout: \(app.idleSeconds)s\(host) }

                """
        }
        return "- name: host_\(index + 1)\n  domains: [ \(domains) ]\n  routes:\n"
            + routes.indented(2)
    }

    private var portal: String {
        """
        # The portal's own host.
        - name: portal
          domains: [ "\(site.portalHost)" ]
          routes:
        \((own + gatehouse("prefix: /")).indented(2))
        """
    }

    /// What Gatehouse serves on every host. Nobody may ask for a check: whoever does describes the request himself.
    private var own: String {
        """
        - match: { prefix: /.auth/check }
          direct_response: { status: 404 }
          typed_per_filter_config: *unasked

        """.replacing("*unasked", with: Self.unasked) + gatehouse("prefix: /.auth/")
    }

    private static let unasked =
        "{ envoy.filters.http.ext_authz: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true } }"

    private func gatehouse(_ match: String) -> String {
        """
        - match: { \(match) }
          route: { cluster: gatehouse }
          typed_per_filter_config: \(Self.unasked)

        """
    }

    private var filters: String {
        let asked =
            SnippetSite.credentialNames + [
                "Gatehouse-Key", "Accept", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Origin", "X-Requested-With",
                "Access-Control-Request-Method", "Sec-WebSocket-Key", "X-Forwarded-For", "X-Request-Id", "User-Agent",
            ]
        let told = site.identityNames + SnippetSite.credentialNames
        func patterns(_ names: [String]) -> String {
            names.map { "{ exact: \($0.lowercased()) }" }.joined(separator: ", ")
        }
        let prefixes = [
            "remote-", "x-remote-", "x-auth-request-", "x-webauth-", "x-gatehouse-", "x-client-cert",
            "x-original-", "x-http-method", "x-method-", "x-rewrite-", "x-envoy-", "proxy-",
        ]
        let others = [
            "user", "email", "groups", "preferred-username", "access-token", "host", "uri", "method", "prefix",
            "server",
            "port",
        ]
        var matchers = prefixes.map { "prefix: \($0)" } + ["exact: forwarded", "exact: x-real-ip", "exact: proxy"]
        matchers += others.map { "exact: x-forwarded-\($0)" }
        // But the key that the check reads, and what Envoy has written itself.
        matchers.append("safe_regex: { regex: 'gatehouse-([^k].*|k[^e].*|ke[^y].*|key.+)' }")
        matchers.append("safe_regex: { regex: 'x-forwarded-([^cfp].*|c[^l].*|f[^o].*|p[^r].*|pr[^o].*|proto.+)' }")
        matchers.append("safe_regex: { regex: '[^:].*[^a-z0-9-].*' }")
        let removals = matchers.map { "- remove_on_match: { key_matcher: { \($0) } }" }.joined(separator: "\n")
        return """
            # Names that only Gatehouse may speak, in the spellings that servers take for one. What it says comes after this.
            - name: envoy.filters.http.header_mutation
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
                mutations:
                  request_mutations:
            \(removals.indented(6))
            - name: envoy.filters.http.ext_authz
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                # Who cannot be asked lets nobody in.
                failure_mode_allow: false
                status_on_error: { code: ServiceUnavailable }
                allowed_headers: { patterns: [ \(patterns(asked)) ] }
                http_service:
                  server_uri: { uri: "http://gatehouse", cluster: gatehouse, timeout: 5s }
                  # The client's own path follows it.
                  path_prefix: /.auth/check/envoy
                  authorization_response:
                    # What is not in an answer is in its x-envoy-auth-headers-to-remove.
                    allowed_upstream_headers: { patterns: [ \(patterns(told)) ] }
            - name: envoy.filters.http.router
              typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }

            """
    }

    private func cluster(_ name: String, _ addresses: [String], tls: String?, isHTTP2: Bool = false) -> String {
        let endpoints = addresses.map { "{ endpoint: { address: { \($0) } } }" }.joined(separator: ", ")
        var more = ""
        if let tls {
            more += """

                  transport_socket:
                    name: envoy.transport_sockets.tls
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
                      sni: "\(tls)"
                      common_tls_context:
                        validation_context:
                          trusted_ca: { filename: /etc/ssl/certs/ca-certificates.crt }
                          match_typed_subject_alt_names: [ { san_type: DNS, matcher: { exact: "\(tls)" } } ]
                """
        }
        if isHTTP2 {
            more += """

                  typed_extension_protocol_options:
                    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
                      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                      explicit_http_config: { http2_protocol_options: {} }
                """
        }
        return """
            - name: \(name)
              type: \(addresses.contains { $0.hasPrefix("pipe") } ? "STATIC" : "STRICT_DNS")
              connect_timeout: 5s\(more)
              load_assignment:
                cluster_name: \(name)
                endpoints: [ { lb_endpoints: [ \(endpoints) ] } ]

            """
    }
}
