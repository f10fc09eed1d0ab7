internal import Settings

extension Commands {
    /// The proxies that a configuration can be printed for.
    enum SnippetProxy: String, CaseIterable {
        case nginx, traefik, caddy, envoy, haproxy
    }

    /// `snippet PROXY`.
    ///
    /// - Parameters:
    ///   - name: nginx, traefik, caddy, envoy or haproxy.
    ///   - listen: where the proxy listens, `HOST:PORT`; nil: the scheme's own port.
    ///   - lua: only what HAProxy loads beside its configuration.
    public static func snippet(_ invocation: Invocation, for name: String, listen: String?, lua: Bool) throws {
        struct Answer: Encodable {
            let proxy: String
            let text: String
        }
        guard let proxy = SnippetProxy(rawValue: name) else {
            throw CommandFailure(.usage, "“\(name)” is none of nginx, traefik, caddy, envoy and haproxy")
        }
        guard !lua || proxy == .haproxy else { throw CommandFailure(.usage, "--lua is for haproxy") }
        if let listen {
            let colon = listen.lastIndex(of: ":") ?? listen.startIndex
            guard listen[..<colon].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"{};\"'`\\".utf8.contains($0) }),
                let port = UInt16(listen[colon...].dropFirst()), port > 0
            else { throw CommandFailure(.usage, "--listen is HOST:PORT, e.g. 0.0.0.0:80") }
        }
        let settings = try invocation.load(secrets: .leave).settings
        let site = try SnippetSite(settings, listen: listen)
        let text =
            switch proxy {
            case .nginx: NginxSnippet(site: site).render()
            case .traefik: try TraefikSnippet(site: site).render()
            case .caddy: try CaddySnippet(site: site).render()
            case .envoy: try EnvoySnippet(site: site).render()
            case .haproxy: lua ? HAProxyLua.text : try HAProxySnippet(site: site).render()
            }
        try Output(json: invocation.json).value(Answer(proxy: proxy.rawValue, text: text)) {
            text.hasSuffix("\n") ? String(text.dropLast()) : text
        }
    }
}
