internal import Accounts
internal import Core
internal import Mustache

/// Escapes by code points, as HTML is read. The library goes by characters, and a code point that joins the next one to
/// a character of its own would hide a `<` from it.
struct EscapedText: MustacheContentType {
    static let name = "HTML_BY_CODE_POINTS"

    func escapeText(_ text: String) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped.append(contentsOf: "&amp;".unicodeScalars)
            case "<": escaped.append(contentsOf: "&lt;".unicodeScalars)
            case ">": escaped.append(contentsOf: "&gt;".unicodeScalars)
            case "\"": escaped.append(contentsOf: "&quot;".unicodeScalars)
            case "'": escaped.append(contentsOf: "&#39;".unicodeScalars)
            default: escaped.append(scalar)
            }
        }
        return String(escaped)
    }
}

/// Makes pages of templates, compiled once.
struct Renderer: Sendable {
    private let library: MustacheLibrary

    /// - Throws: when a template is no Mustache.
    init() throws {
        MustacheContentTypes.register(EscapedText(), named: EscapedText.name)
        var library = MustacheLibrary()
        for (name, text) in Templates.all {
            try library.register("{{% CONTENT_TYPE:\(EscapedText.name)}}" + text, named: name)
        }
        self.library = library
    }

    /// - Parameter values: text, truth, lists and maps of them.
    func render(_ template: String, _ values: [String: Any]) -> [UInt8] {
        Array((library.render(values, withTemplate: template) ?? "").utf8)
    }
}

extension PortalRequest {
    /// A page with its headers.
    ///
    /// - Parameters:
    ///   - title: the key of its title.
    ///   - formTarget: the origin that a form's answer may send the browser on to, beside our own.
    ///   - isOnAppHost: the page is shown on another host than the portal's.
    func page(
        _ template: String, title: String, status: Int = 200, _ values: [String: Any] = [:], formTarget: String? = nil,
        isOnAppHost: Bool = false
    ) -> Answer {
        let texts = language.texts
        let home = isOnAppHost ? configuration.publicURL : ""
        var all: [String: Any] = [
            "t": texts, "site": configuration.siteName, "title": texts[title] ?? "", "origin": home,
            "stylesheet": home + Stylesheet.path,
        ]
        all.merge(values) { _, own in own }
        let usesScript = values["passkey_options"] != nil
        if usesScript { all["script"] = PasskeyScript.path }
        return Answer(
            status: status,
            headers: [
                ("Content-Type", "text/html; charset=utf-8"), ("Content-Language", language.rawValue),
                ("Cache-Control", "no-store"), ("Referrer-Policy", "same-origin"),
                ("X-Content-Type-Options", "nosniff"),
                (
                    "Content-Security-Policy",
                    Self.contentSecurityPolicy(styles: isOnAppHost ? home : "'self'", formTarget: formTarget)
                        + (usesScript ? "; script-src 'self'" : "")
                ),
            ], body: portal.renderer.render(template, all))
    }

    /// - Parameter formTarget: Chromium holds the redirect behind a form against `form-action` as well.
    private static func contentSecurityPolicy(styles: String, formTarget: String?) -> String {
        let forms = formTarget.map { "'self' \($0)" } ?? "'self'"
        return "default-src 'none'; style-src \(styles); img-src 'self' data:; form-action \(forms); "
            + "frame-ancestors 'none'; base-uri 'none'"
    }

    /// The text of a key in the reader's language.
    func text(_ key: String) -> String { language.texts[key] ?? key }

    /// A time as people read it.
    func shown(_ time: Timestamp) -> String { String(time.rfc3339.prefix(16)).replacing("T", with: " ") + " UTC" }

    /// A page for what went wrong where there is no form to say it beside.
    func failurePage(_ failure: PortalFailure) -> Answer {
        let title = failure.status == 404 ? "not_found_title" : "error_title"
        let key =
            switch failure.code {
            case "not_found": "not_found_text"
            case "cross_site": "forbidden_text"
            case "rate_limited": "rate_limited"
            default: failure.status >= 500 ? "try_later" : "input_refused"
            }
        var answer = page(
            "message", title: title, status: failure.status, ["text": text(key), "request": local.requestID])
        answer.headers += failure.headers
        return answer
    }

    /// The sentence for an operation's failure beside a form.
    func sentence(for error: AccountsError) -> String {
        switch error.code {
        case .invalidCredentials: text("wrong_credentials")
        case .invalidCode: text("wrong_code")
        case .accountLocked: text("account_locked")
        case .rateLimited: text("rate_limited")
        case .emailNotVerified: text("email_not_verified")
        case .userDisabled: text("user_disabled")
        case .twoFactorRequired: text("two_factor_required")
        case .invalid, .refused: language == .english ? error.message : sentence(forInput: error)
        case .noMasterKey, .wrongMasterKey, .damaged, .store: text("try_later")
        case .notFound, .exists, .invalidToken, .reauthenticationRequired: text("input_refused")
        }
    }

    /// The operation's own words are English.
    private func sentence(forInput error: AccountsError) -> String {
        guard let problem = error.cause as? PasswordProblem else { return text("input_refused") }
        return text(problem.rawValue)
    }

    /// Whose page this is, and what is missing.
    ///
    /// - Parameter request: the id of the request that was refused.
    func deniedPage(_ reason: Reason?, request: String?) -> Answer {
        var values: [String: Any] = [:]
        if let user = local.identity?.user { values["user"] = user }
        if let reason { values["reason"] = language.texts["reason_\(reason.rawValue)"] ?? text("reason_other") }
        if let request { values["request"] = request }
        return page(
            "denied", title: "denied_title", status: 403, values, isOnAppHost: local.host != configuration.host)
    }
}
