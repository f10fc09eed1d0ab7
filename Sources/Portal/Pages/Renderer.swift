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

    /// - Parameter overrides: in place of those of ``Templates``.
    /// - Throws: when a template is no Mustache.
    init(_ overrides: [String: String] = [:]) throws {
        MustacheContentTypes.register(EscapedText(), named: EscapedText.name)
        var library = MustacheLibrary()
        for (name, text) in Templates.all.merging(overrides, uniquingKeysWith: { _, own in own }) {
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
    ///   - formTargets: where else than to our own pages the answer to a form may lead (``formTargets(_:)``).
    ///   - isOnAppHost: the page is shown on another host than the portal's.
    func page(
        _ template: String, title: String, status: Int = 200, _ values: [String: Any] = [:],
        formTargets: String? = nil, isOnAppHost: Bool = false
    ) -> Answer {
        let texts = language.texts
        let home = isOnAppHost ? configuration.publicURL : ""
        var all: [String: Any] = [
            "t": texts, "site": configuration.look.name, "title": texts[title] ?? "", "origin": home,
            "stylesheet": home + configuration.look.stylesheet.path,
        ]
        if let logo = configuration.look.logo { all["logo"] = home + logo.path }
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
                    Self.contentSecurityPolicy(ours: isOnAppHost ? home : "'self'", formTargets: formTargets)
                        + (usesScript ? "; script-src 'self'" : "")
                ),
            ], body: configuration.look.renderer.render(template, all))
    }

    /// - Parameters:
    ///   - ours: where stylesheet and logo come from.
    ///   - formTargets: besides our own pages.
    private static func contentSecurityPolicy(ours: String, formTargets: String?) -> String {
        let forms = formTargets.map { "'self' \($0)" } ?? "'self'"
        return "default-src 'none'; style-src \(ours); img-src \(ours) data:; form-action \(forms); "
            + "frame-ancestors 'none'; base-uri 'none'"
    }

    /// What `form-action` allows beside our own pages for a form whose answer leads on to an address; nil: nothing.
    ///
    /// Chromium holds every redirect behind a form against it, those of the app too: one that sends people on to another
    /// host would leave them on our form, signed in and without a word. So it is the scheme, and no list of hosts.
    func formTargets(_ address: ReturnAddress?) -> String? {
        guard let address, address.origin != configuration.publicURL || !address.path.hasPrefix("/.auth/") else {
            return nil
        }
        return address.origin.hasPrefix("https://") ? "https:" : "http: https:"
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
            case "form_expired": "form_expired"
            case "rate_limited": "rate_limited"
            default: failure.status >= 500 ? "try_later" : "input_refused"
            }
        var values: [String: Any] = ["text": text(key), "request": local.requestID]
        if failure == .formExpired, Endpoint.methods(of: local.path).contains("GET") { values["again"] = local.path }
        var answer = page("message", title: title, status: failure.status, values)
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
        case .invalid, .refused: sentence(forRefused: error)
        case .noMasterKey, .wrongMasterKey, .damaged, .store: text("try_later")
        case .notFound, .exists, .invalidToken, .reauthenticationRequired: text("input_refused")
        }
    }

    /// The operation's own words are English.
    private func sentence(forRefused error: AccountsError) -> String {
        if let problem = error.problem { return text(problem.rawValue) }
        if language == .english { return error.message }
        return (error.cause as? PasswordProblem).map { text($0.rawValue) } ?? text("input_refused")
    }
}
