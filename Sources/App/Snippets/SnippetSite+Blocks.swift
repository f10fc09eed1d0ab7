extension SnippetSite {
    /// As Gatehouse itself compares hosts: a proxy takes the block of the narrowest pattern, so each has every route that
    /// its hosts may fall on.
    static func blocks(of apps: [App]) -> [Block] {
        var patterns: [String] = []
        for host in apps.flatMap({ $0.hosts ?? [] }) where !patterns.contains(host) { patterns.append(host) }
        var blocks: [(hosts: [String], indices: [Int])] = []
        for host in patterns where !isWildcard(host) {
            let indices = routes(of: host, apps)
            if let index = blocks.firstIndex(where: { $0.indices == indices }) {
                blocks[index].hosts.append(host)
            } else {
                blocks.append(([host], indices))
            }
        }
        // Equally long ones have no host in common.
        for host in patterns.filter(isWildcard).sorted(by: { $0.utf8.count > $1.utf8.count }) {
            blocks.append(([host], routes(of: host, apps)))
        }
        let anywhere = reachable(apps.indices.filter { apps[$0].hosts == nil }, apps)
        if !anywhere.isEmpty { blocks.append(([], anywhere)) }
        return blocks.map { block in Block(hosts: block.hosts, apps: block.indices.map { apps[$0] }) }
    }

    /// Lower case, without the dot at the end.
    static func canonical(_ host: String) -> String {
        let lower = host.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }

    static func isWildcard(_ host: String) -> Bool { host.hasPrefix("*.") }

    private static func routes(of host: String, _ apps: [App]) -> [Int] {
        let all = apps.indices.filter { index in
            guard let hosts = apps[index].hosts else { return true }
            return hosts.contains { $0 == host || isWildcard($0) && host.hasSuffix($0.dropFirst()) }
        }
        return reachable(all, apps)
    }

    /// Without those to which nothing can come, because another before them has the same place.
    private static func reachable(_ indices: [Int], _ apps: [App]) -> [Int] {
        var kept: [Int] = []
        for index in indices where !kept.contains(where: { apps[$0].prefix == apps[index].prefix }) {
            kept.append(index)
            if apps[index].prefix.isEmpty, apps[index].isPrefix { break }
        }
        return kept
    }

    /// For a proxy that cannot say which route it asks about: where it would have to guess, it gets no configuration.
    func requirePrefixes(_ proxy: String) throws(CommandFailure) {
        for block in blocks where block.apps.count > 1 || apps.count(where: { Self.share($0, block) }) > 1 {
            guard let app = block.apps.first(where: { !$0.isPrefix }) else { continue }
            throw CommandFailure(
                .usage,
                """
                route \(app.route): its paths are more than one prefix, other routes have the same host, and \(proxy) cannot \
                say which route it asks about: it would send a request to one app that was judged by another's rules. \
                Give the route a host of its own, or one prefix
                """)
        }
    }

    private static func share(_ app: App, _ block: Block) -> Bool {
        guard let hosts = app.hosts, let first = block.hosts.first else { return app.hosts == nil }
        return hosts.contains { $0 == first || isWildcard($0) && first.hasSuffix($0.dropFirst()) }
    }
}

extension SnippetSite.App {
    /// Its prefix as a regular expression: itself, and everything below it.
    var pattern: String { (ignoresCase ? "(?i)" : "") + "^" + SnippetSite.literal(prefix) + "(/|$)" }
}
