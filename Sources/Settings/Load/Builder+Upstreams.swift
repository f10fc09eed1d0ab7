import Core

extension Builder {
    /// `upstreams` of all files.
    func readUpstreams() -> [(upstream: Settings.Upstream, location: Document.Location, path: String)] {
        var result: [(upstream: Settings.Upstream, location: Document.Location, path: String)] = []
        for source in all {
            for entry in source.entries("upstreams") {
                let path = entry.value.path
                guard entry.name.utf8.count <= 64, Names.isSimple(entry.name) else {
                    reading.problem(entry.location, path, "a name is 1 to 64 of A-Z a-z 0-9 . _ -")
                    continue
                }
                if result.contains(where: { $0.upstream.name == entry.name }) {
                    reading.problem(entry.location, path, "there are two upstreams of this name")
                    continue
                }
                guard let view = source.entryMap("upstreams", entry.value) else { continue }
                result.append((readUpstream(entry.name, view), entry.location, path))
            }
        }
        return result
    }

    private func readUpstream(_ name: String, _ view: MapView) -> Settings.Upstream {
        var endpoints: [Settings.Upstream.Endpoint] = []
        if view.has("url") {
            for (text, value) in view.texts("url", allowEmptyList: false) ?? [] {
                guard let endpoint = endpoint(text, value) else { continue }
                if endpoints.contains(endpoint) {
                    reading.problem(value.location, value.path, "\(endpoint) is here twice")
                } else {
                    endpoints.append(endpoint)
                }
            }
        } else {
            _ = view.required("url")
        }
        return Settings.Upstream(
            name: name, endpoints: endpoints,
            hostHeader: view.choice("host", of: Settings.Upstream.HostHeader.self) ?? .preserve,
            connectTimeout: view.duration("connect_timeout") ?? .zero,
            firstByteTimeout: view.duration("first_byte_timeout") ?? .zero,
            idleTimeout: view.duration("idle_timeout") ?? .zero, health: readHealth(view),
            tls: readUpstreamTLS(view, endpoints))
    }

    /// `upstreams.*.health`; nil where servers are not asked.
    private func readHealth(_ upstream: MapView) -> Settings.HealthCheck? {
        guard let value = upstream.value("health"), value.text != "none" else { return nil }
        let view = upstream.map("health")
        guard view.node != nil else { return nil }
        let every = view.duration("every")
        guard let (path, written) = view.required("path") else { return nil }
        // It goes into a request line as it is.
        guard path.hasPrefix("/"), path.utf8.count <= 2048,
            path.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") })
        else {
            reading.refuse(written)
            return nil
        }
        return Settings.HealthCheck(path: path, every: every ?? .zero)
    }

    private func endpoint(_ text: String, _ value: Value) -> Settings.Upstream.Endpoint? {
        if text.hasPrefix("unix:") { return socketPath(text, value).map { .unix(path: $0) } }
        guard let scheme = ["http://", "https://", "h2c://"].first(where: { text.lowercased().hasPrefix($0) }) else {
            reading.refuse(value)
            return nil
        }
        var rest = text.dropFirst(scheme.utf8.count)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.contains("/"), !rest.contains("?"), !rest.contains("@") else {
            reading.refuse(value, expected: "\(value.kind.expectation), without user, path and query")
            return nil
        }
        guard let address = HostAndPort(String(rest), defaultPort: scheme == "https://" ? 443 : 80), address.port != 0,
            let host = address.bareHost
        else {
            reading.refuse(value)
            return nil
        }
        switch scheme {
        case "https://": return .https(host: host, port: address.port)
        case "h2c://": return .h2c(host: host, port: address.port)
        default: return .http(host: host, port: address.port)
        }
    }
}

/// Names that operators give.
enum Names {
    /// Letters, digits, `.`, `_` and `-`, at least one.
    static func isSimple(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
