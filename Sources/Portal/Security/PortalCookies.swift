internal import Accounts
internal import Core

/// The cookies that the portal sets (RFC 6265bis). All are `HttpOnly` and `SameSite=Lax`; on https also `Secure`, with
/// a prefix that keeps every other host from setting them.
///
/// ```
///   NAME-portal    this host    pages, API, step-up
///   NAME           the domain   verdicts on app routes
///   NAME-device    this host    known device, a year
///   NAME-browser   this host    ties a login form to its browser
/// ```
struct PortalCookies: Sendable {
    let settings: Configuration.Cookies
    let isSecure: Bool

    private static let yearInSeconds: Int64 = 365 * 86_400

    private var names: SessionCookieNames {
        SessionCookieNames(name: settings.name, domain: settings.domain, isSecure: isSecure)
    }

    /// Both secrets of a session.
    func session(_ secrets: SessionSecrets) -> [String] {
        let age = secrets.remainsFor.map { $0.wholeMilliseconds / 1000 }
        return [
            hostOnly(names.portal, secrets.portal, maximumAge: age), app(secrets.app, maximumAge: age),
        ]
    }

    func device(_ token: String) -> String { hostOnly(names.device, token, maximumAge: Self.yearInSeconds) }

    func browser(_ token: String) -> String { hostOnly(names.browser, token, maximumAge: nil) }

    /// Takes the session out of the browser.
    var none: [String] { [hostOnly(names.portal, "", maximumAge: 0), app("", maximumAge: 0)] }

    /// The same from another host than the portal's, which can only reach the app's cookie.
    var noneForApps: [String] { [app("", maximumAge: 0)] }

    private func hostOnly(_ name: String, _ value: String, maximumAge: Int64?) -> String {
        line(name, value, domain: nil, maximumAge)
    }

    private func app(_ value: String, maximumAge: Int64?) -> String {
        line(names.app, value, domain: settings.domain, maximumAge)
    }

    private func line(_ name: String, _ value: String, domain: String?, _ maximumAge: Int64?) -> String {
        var line = "\(name)=\(value); Path=/; HttpOnly; SameSite=Lax"
        if isSecure { line += "; Secure" }
        if let domain { line += "; Domain=\(domain)" }
        if let maximumAge { line += "; Max-Age=\(maximumAge)" }
        return line
    }
}
