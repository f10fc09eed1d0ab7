/// The names of a session's two cookies, and of two that stand beside it, with the prefixes that make browsers hold them to their terms (RFC 6265bis
/// section 4.1.3). Whoever sets them and whoever reads them go by this.
public struct SessionCookieNames: Sendable, Hashable {
    /// What apps' hosts see: good for verdicts only.
    public let app: String
    /// What the portal's host alone sees.
    public let portal: String
    /// By what the portal knows a browser that somebody has signed in with before.
    public let device: String
    /// What ties a form of the portal to the browser that it was shown to.
    public let browser: String

    /// - Parameters:
    ///   - name: `sessions.cookie.name`.
    ///   - domain: `sessions.cookie.domain` of the app's cookie; nil: host-only.
    ///   - isSecure: the portal is reached by https.
    public init(name: String, domain: String?, isSecure: Bool) {
        guard isSecure else {
            app = name
            portal = name + "-portal"
            device = name + "-device"
            browser = name + "-browser"
            return
        }
        app = (domain == nil ? "__Host-" : "__Secure-") + name
        portal = "__Host-" + name + "-portal"
        device = "__Host-" + name + "-device"
        browser = "__Host-" + name + "-browser"
    }
}
