/// The names of a session's two cookies, with the prefixes that make browsers hold them to their terms (RFC 6265bis
/// section 4.1.3). Whoever sets them and whoever reads them go by this.
public struct SessionCookieNames: Sendable, Hashable {
    /// What apps' hosts see: good for verdicts only.
    public let app: String
    /// What the portal's host alone sees.
    public let portal: String

    /// - Parameters:
    ///   - name: `sessions.cookie.name`.
    ///   - domain: `sessions.cookie.domain` of the app's cookie; nil: host-only.
    ///   - isSecure: the portal is reached by https.
    public init(name: String, domain: String?, isSecure: Bool) {
        guard isSecure else {
            app = name
            portal = name + "-portal"
            return
        }
        app = (domain == nil ? "__Host-" : "__Secure-") + name
        portal = "__Host-" + name + "-portal"
    }
}
