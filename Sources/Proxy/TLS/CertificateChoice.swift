/// Which certificate a client gets for the server name that it asks for (RFC 6066 section 3).
struct CertificateChoice: Sendable {
    private var exact: [String: Int] = [:]
    /// By what stands behind the `*`, with its dot.
    private var wildcards: [String: Int] = [:]

    /// - Parameter names: those of each certificate; where two have the same, the earlier one is taken.
    init(_ names: [[String]]) {
        for (index, names) in names.enumerated() {
            for name in names {
                let isWildcard = name.hasPrefix("*.")
                let key = isWildcard ? String(name.dropFirst()) : name
                if isWildcard {
                    if wildcards[key] == nil { wildcards[key] = index }
                } else if exact[key] == nil {
                    exact[key] = index
                }
            }
        }
    }

    /// An exact name goes before a wildcard, which stands for one label (RFC 6125 section 6.4.3); without either the
    /// first certificate.
    func index(for server: String?) -> Int {
        guard var name = server?.lowercased() else { return 0 }
        if name.hasSuffix(".") { name.removeLast() }
        if let found = exact[name] { return found }
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return 0 }
        return wildcards[String(name[dot...])] ?? 0
    }
}
