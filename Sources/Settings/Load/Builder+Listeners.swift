import Core
import Policy

extension Builder {
    /// The items of `listen` that are valid.
    func readListeners(_ trusted: Settings.TrustedProxies) -> [(listener: Settings.Listener, value: Value)] {
        let views = root.maps("listen")
        if views.isEmpty, reading.problems.isEmpty {
            reading.problem(
                root.location(of: "listen"), "listen", "found an empty list, expected at least one listener")
        }
        var result: [(listener: Settings.Listener, value: Value)] = []
        for view in views {
            guard let (text, value) = view.filled("address"),
                let address = listenAddress(text, value, allowsPassed: true)
            else { continue }
            if isTaken(address, by: result.map(\.listener.address)) {
                reading.problem(value.location, value.path, "\(address) is here twice")
                continue
            }
            let services = view.choices("serve", allowEmptyList: false) ?? []
            let (mode, group) = readUnix(view, address)
            let tls = readListenerTLS(view)
            result.append(
                (
                    Settings.Listener(
                        address: address, services: Set(services.compactMap(Settings.Listener.Service.init(rawValue:))),
                        unixMode: mode, unixGroup: group, tls: tls, redirectsToHTTPS: readRedirect(view, tls),
                        takesProxyProtocol: readProxyProtocol(view, address, trusted)), value
                ))
        }
        return result
    }

    /// `listen[].proxy_protocol`.
    private func readProxyProtocol(
        _ view: MapView, _ address: Settings.ListenAddress, _ trusted: Settings.TrustedProxies
    ) -> Bool {
        guard view.boolean("proxy_protocol") == true else { return false }
        let mayConnect =
            switch address {
            case .tcp: !trusted.networks.isEmpty
            case .unix: trusted.unix
            case .systemd: !trusted.networks.isEmpty || trusted.unix
            }
        if !mayConnect {
            reading.problem(
                view.location(of: "proxy_protocol"), Problem.join(view.path, "proxy_protocol"),
                "nobody could connect to \(address): trusted_proxies does not name the proxy that sends the header")
        }
        return true
    }

    /// `monitor_listen`.
    func readMonitor(beside listeners: [(listener: Settings.Listener, value: Value)]) -> Settings.ListenAddress? {
        guard let (text, value) = root.filled("monitor_listen"),
            let address = listenAddress(text, value, allowsPassed: false)
        else {
            return nil
        }
        if isTaken(address, by: listeners.map(\.listener.address)) {
            reading.problem(value.location, value.path, "\(address) is already in listen; metrics need their own")
        }
        return address
    }

    /// Port 0 never collides: it is another one each time.
    private func isTaken(_ address: Settings.ListenAddress, by others: [Settings.ListenAddress]) -> Bool {
        if case .tcp(_, 0) = address { return false }
        return others.contains(address)
    }

    private func readUnix(_ view: MapView, _ address: Settings.ListenAddress) -> (mode: UInt16, group: String?) {
        let unix = view.map("unix")
        if unix.node != nil {
            switch address {
            case .unix: break
            case .tcp, .systemd:
                reading.problem(unix.location, unix.path, "only goes with an address unix:/PATH, not with \(address)")
            }
        }
        var mode: UInt16 = 0o660
        if let (text, value) = unix.filled("mode") {
            if (3...4).contains(text.utf8.count), let number = UInt16(text, radix: 8), text.utf8.first != 0x2b,
                number <= 0o777
            {
                mode = number
            } else {
                reading.refuse(value)
            }
        }
        let group = unix.filled("group")
        // As a secret, it is looked for by whoever is to run with it, and by nobody else.
        if let group, secrets == .read, let groupExists, !groupExists(group.text) {
            reading.problem(group.value.location, group.value.path, "there is no group of this name on this machine")
        }
        return (mode, group?.text)
    }

    private func listenAddress(_ text: String, _ value: Value, allowsPassed: Bool) -> Settings.ListenAddress? {
        if allowsPassed, text.hasPrefix("systemd:") {
            let name = String(text.dropFirst("systemd:".utf8.count))
            // What FileDescriptorName= of a socket unit takes.
            guard (1...255).contains(name.utf8.count),
                name.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") })
            else {
                reading.refuse(value)
                return nil
            }
            return .systemd(name: name)
        }
        if text.hasPrefix("unix:") {
            return socketPath(text, value).map { .unix(path: $0) }
        }
        guard let address = HostAndPort(text, defaultPort: nil), let host = address.bareHost else {
            let hint = Measures.wholeNumber(text) == nil ? "" : "; write the host too, like 127.0.0.1:\(text)"
            reading.refuse(value, expected: value.kind.expectation + hint)
            return nil
        }
        return .tcp(host: host, port: address.port)
    }

    /// The path of `unix:/PATH`, short enough for a socket address.
    func socketPath(_ text: String, _ value: Value) -> String? {
        let path = reading.resolve(String(text.dropFirst("unix:".utf8.count)))
        guard !path.isEmpty, !path.hasSuffix("/"), !path.utf8.contains(0) else {
            reading.refuse(value)
            return nil
        }
        // sockaddr_un holds 108 bytes with the zero at the end.
        guard path.utf8.count <= 107 else {
            reading.problem(
                value.location, value.path, "a socket's path has at most 107 bytes, found \(path.utf8.count)")
            return nil
        }
        return path
    }
}

extension HostAndPort {
    /// The host for a socket: an IPv6 address without brackets, a name in its one spelling; nil when it is neither.
    var bareHost: String? {
        guard let canonical = HostName.canonical(configured: host) else { return nil }
        return canonical.hasPrefix("[") ? String(canonical.dropFirst().dropLast()) : canonical
    }
}
