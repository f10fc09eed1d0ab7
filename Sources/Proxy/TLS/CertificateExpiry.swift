import Core

/// When a certificate ends, for `/metrics`.
struct CertificateExpiry: Sendable {
    /// Its first DNS name, or its file where it has none.
    let name: String
    let at: Timestamp
}

/// Everything of a server that speaks TLS, in one place to look after it.
struct Certificates: Sendable {
    var terminals: [TLSTerminal] = []
    var upstreams: [UpstreamTLS] = []

    /// Each name once, with the certificate of it that ends first.
    var expiries: [CertificateExpiry] {
        var first: [String: CertificateExpiry] = [:]
        for one in terminals.flatMap(\.certificates) + upstreams.compactMap(\.certificate)
        where first[one.name].map({ one.at < $0.at }) ?? true {
            first[one.name] = one
        }
        return first.values.sorted { $0.name < $1.name }
    }

    /// Looks at the files of all of them.
    ///
    /// - Parameter report: is told of each that changed, with what was wrong; nil: it is in force.
    func refresh(_ report: (_ files: [String], _ problem: ProxyError?) -> Void) {
        for terminal in terminals { Self.refresh(terminal.files, report, terminal.refresh) }
        for upstream in upstreams { Self.refresh(upstream.files, report, upstream.refresh) }
    }

    private static func refresh(
        _ files: [String], _ report: (_ files: [String], _ problem: ProxyError?) -> Void,
        _ look: () throws(ProxyError) -> Bool
    ) {
        do throws(ProxyError) {
            if try look() { report(files, nil) }
        } catch {
            report(files, error)
        }
    }
}
