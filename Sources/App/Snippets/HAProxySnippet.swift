internal import Policy
internal import Settings

/// Sections for HAProxy, which asks by the action in ``HAProxyLua``.
struct HAProxySnippet {
    let site: SnippetSite

    func render() throws(CommandFailure) -> String {
        guard let (host, port) = site.gatehouseAuthority else {
            throw CommandFailure(.usage, "HAProxy's Lua asks by TCP; let an item of listen with an address serve check")
        }
        let authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let named = site.identityNames.joined(separator: ",")
        var text = site.heading(
            "haproxy",
            tunnels: "A WebSocket or stream that HAProxy has opened stays open when its session or key is revoked; "
                + "inline, Gatehouse closes it within a second. gatehouse.lua is what `gatehouse snippet haproxy --lua` "
                + "prints.")
        text += """
            global
                lua-load gatehouse.lua

            frontend gatehouse_front
                mode http
                bind \(listening)
                # One host, and nothing but a host: what selects the app is what Gatehouse is asked about.
                http-request deny deny_status 421 unless { req.fhdr_cnt(host) 1 } { req.fhdr(host) -m reg \(Self.plainHost) }
                # Nobody may ask for a check: whoever does describes the request himself.
                http-request deny deny_status 404 if { path_beg /.auth/check }
                http-request set-header X-Forwarded-For %[src]
                # WebSockets alone: with `Upgrade: h2c` an app that speaks HTTP/2 would take requests that nobody judges.
                http-request del-header Upgrade unless { req.fhdr_cnt(Upgrade) 1 } { req.fhdr(Upgrade) -m str -i websocket }

            """
        var uses = "    use_backend gatehouse if { path_beg /.auth/ }\n"
        for block in site.blocks {
            let hosts = block.hosts.isEmpty ? "" : hostCondition(block.hosts)
            for app in block.apps {
                var conditions = hosts
                if !app.prefix.isEmpty {
                    let flag = app.ignoresCase ? "-i " : ""
                    conditions +=
                        (conditions.isEmpty ? "" : " ") + "{ path \(flag)\(app.prefix) } or"
                        + (hosts.isEmpty ? "" : " \(hosts)") + " { path_beg \(flag)\(app.prefix)/ }"
                }
                text += asking(app, authority, named, if: conditions)
            }
        }
        for app in site.apps {
            uses += "    use_backend app_\(app.identifier) if { var(txn.gatehouse) -m str app_\(app.identifier) }\n"
        }
        text += "    # Whoever was not asked about goes nowhere.\n"
        text +=
            "    http-request deny deny_status 421 unless { var(txn.gatehouse) -m found } or { path_beg /.auth/ } or "
            + hostCondition([site.portalHost]) + "\n"
        text += uses
        text += "    use_backend gatehouse if \(hostCondition([site.portalHost]))\n"
        text += "\nbackend gatehouse\n    mode http\n    server gatehouse \(authority)\n"
        for app in site.apps { text += backend(app) }
        return text
    }

    private var listening: String {
        if let listen = site.listen { return listen }
        return site.portalScheme == .https ? ":443 ssl crt /etc/haproxy/certificates/" : ":80"
    }

    /// A name or an address, and perhaps a port.
    private static let plainHost = #"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?$"#

    /// `fhdr`: the whole of the header, where `hdr` would take the part behind its last comma.
    private func hostCondition(_ hosts: [String]) -> String {
        let patterns = hosts.map { host in
            let name =
                SnippetSite.isWildcard(host)
                ? ".+\\." + SnippetSite.literal(String(host.dropFirst(2))) : SnippetSite.literal(host)
            return "^" + name + "\\.?(:[0-9]*)?$"
        }
        return "{ req.fhdr(host) -m reg -i \(patterns.joined(separator: " ")) }"
    }

    private func asking(
        _ app: SnippetSite.App, _ authority: String, _ names: String, if conditions: String
    ) -> String {
        let query = "?route=\(SnippetSite.escaped(app.route))"
        let action =
            "    http-request lua.gatehouse http://\(authority)/.auth/check/haproxy\(query) \(names) app_\(app.identifier)"
        let others = "!{ path_beg /.auth/ }"
        guard !conditions.isEmpty else { return action + " if \(others)\n" }
        let either = conditions.components(separatedBy: " or ").map { "\(others) \($0)" }.joined(separator: " or ")
        return action + " if \(either)\n"
    }

    private func backend(_ app: SnippetSite.App) -> String {
        var text = "\nbackend app_\(app.identifier)\n    mode http\n    timeout tunnel \(app.idleSeconds)s\n"
        if !app.keepsHost, let first = app.servers.first, let authority = first.authority {
            text += "    http-request set-header Host \(authority)\n"
        }
        for (index, endpoint) in app.servers.enumerated() {
            let place: String
            switch endpoint {
            case .http(let host, let port): place = "\(bracketed(host)):\(port)"
            case .https(let host, let port):
                let name = app.serverName ?? host
                place =
                    "\(bracketed(host)):\(port) ssl verify required ca-file @system-ca verifyhost \(name) sni str(\(name))"
            case .h2c(let host, let port): place = "\(bracketed(host)):\(port) proto h2"
            case .unix(let path): place = "unix@\(path)"
            }
            text += "    server app\(index + 1) \(place)\n"
        }
        return text
    }

    private func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
