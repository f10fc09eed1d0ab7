import Core
import Policy

/// Reads what is about people who sign in.
extension Builder {
    func readSessions(publicURL: Origin?) -> Settings.Sessions {
        let view = root.map("sessions")
        let sessions = Settings.Sessions(
            idle: view.duration("idle", minimum: 60) ?? .seconds(43_200),
            lifetime: view.duration("lifetime", minimum: 60) ?? .seconds(86_400),
            remember: view.duration("remember", minimum: 60) ?? .seconds(2_592_000),
            cookieName: readCookieName(view.map("cookie")),
            cookieDomain: readCookieDomain(view.map("cookie"), publicURL: publicURL))
        if sessions.idle > sessions.lifetime {
            reading.problem(
                view.location(of: "idle"), Problem.join(view.path, "idle"),
                "is longer than lifetime, so no session would ever end by it")
        }
        return sessions
    }

    private func readCookieName(_ view: MapView) -> String {
        guard let (text, value) = view.filled("name") else { return "gatehouse" }
        let isName = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
        guard isName, text.utf8.count <= 64, !text.hasPrefix("__") else {
            reading.refuse(value, expected: "1 to 64 letters, digits, - and _, not beginning with __")
            return "gatehouse"
        }
        return text
    }

    private func readCookieDomain(_ view: MapView, publicURL: Origin?) -> String? {
        guard let (text, value) = view.filled("domain") else { return nil }
        guard let domain = HostName.canonical(configured: text), domain.contains("."), !domain.hasPrefix("["),
            IPAddress(domain) == nil
        else {
            reading.refuse(
                value,
                expected: "a domain like example.com, without a leading dot; browsers keep no cookie for one label")
            return nil
        }
        if let publicURL, publicURL.host != domain, !publicURL.host.hasSuffix("." + domain) {
            reading.problem(
                value.location, value.path,
                "\(domain) is not above \(publicURL.host), the host of public_url, so browsers would refuse the cookie")
            return nil
        }
        return domain
    }

    func readTokens() -> Settings.Tokens {
        let view = root.map("tokens")
        let tokens = Settings.Tokens(
            accessLifetime: view.duration("access_lifetime") ?? .seconds(900),
            refreshLifetime: view.duration("refresh_lifetime") ?? .seconds(2_592_000))
        let (location, path) = (view.location(of: "access_lifetime"), Problem.join(view.path, "access_lifetime"))
        if tokens.accessLifetime > .seconds(86_400) {
            reading.problem(location, path, "is longer than a day (24h), and no access token may be")
        } else if tokens.accessLifetime > tokens.refreshLifetime {
            reading.problem(location, path, "is longer than refresh_lifetime, so nothing could ever be refreshed")
        }
        return tokens
    }

    func readLogin(publicURL: Origin?, providers: [Settings.Provider]) -> Settings.Login {
        let view = root.map("login")
        let password = view.map("password")
        let lockout = view.map("lockout")
        return Settings.Login(
            registration: view.choice("registration", of: Settings.Login.Registration.self) ?? .closed,
            magicLinkIsEnabled: view.map("magic_link").boolean("enabled") ?? false,
            magicLinkLifetime: readMagicLinkLifetime(view.map("magic_link")),
            passwordIsEnabled: password.boolean("enabled") ?? true,
            minimumPasswordLength: number(password, "min_length", 8...128) ?? 12,
            breachCheck: readBreachCheck(password),
            lockoutFailures: number(lockout, "failures", 1...1000) ?? 5,
            lockoutPeriod: lockout.duration("period") ?? .seconds(1800),
            passkeys: readPasskeys(view.map("passkeys"), publicURL: publicURL),
            secondFactorIsRequired: view.choice("two_factor", of: SecondFactor.self) == .required,
            trustsDevicesFor: readTrustDevice(view), providers: providers)
    }

    private enum SecondFactor: String {
        case optional, required
    }

    /// `none`, or an hour to a year.
    private func readTrustDevice(_ view: MapView) -> Duration? {
        guard let (text, value) = view.scalar("trust_device"), text != "none" else { return nil }
        guard let duration = Measures.duration(text), duration >= .seconds(3600), duration <= .seconds(365 * 86_400)
        else {
            reading.refuse(value, expected: "none, or 1h to 365d")
            return nil
        }
        return duration
    }

    /// A link in a mailbox is a key under the mat.
    private func readMagicLinkLifetime(_ view: MapView) -> Duration {
        guard let lifetime = view.duration("lifetime", minimum: 60) else { return .seconds(900) }
        guard lifetime <= .seconds(86_400) else {
            reading.problem(
                view.location(of: "lifetime"), Problem.join(view.path, "lifetime"), "is longer than a day (24h)")
            return .seconds(900)
        }
        return lifetime
    }

    /// What only works by mail, where none is sent.
    func checkMail(_ login: Settings.Login, _ mail: Settings.Mail) {
        guard !mail.isOn else { return }
        let view = root.map("login")
        if login.registration != .closed {
            reading.problem(
                view.location(of: "registration"), Problem.join(view.path, "registration"),
                "\(login.registration.rawValue) needs mail, and `mail` is none; expected closed, or a mail server")
        }
        let link = view.map("magic_link")
        if login.magicLinkIsEnabled {
            reading.problem(
                link.location(of: "enabled"), Problem.join(link.path, "enabled"),
                "a link by mail needs mail, and `mail` is none; expected false, or a mail server")
        }
    }

    /// Nobody at all could sign in on the pages.
    func warnAboutNoWayIn(_ login: Settings.Login) {
        guard !login.passwordIsEnabled, !login.passkeys.isEnabled, !login.magicLinkIsEnabled, login.providers.isEmpty
        else { return }
        let view = root.map("login").map("password")
        reading.warning(
            view.location(of: "enabled"), Problem.join(view.path, "enabled"),
            "nobody can sign in: passwords, passkeys and magic_link are off, and there are no providers")
    }

    func readLimits() -> Settings.Limits {
        let view = root.map("limits")
        return Settings.Limits(
            connectionsPerClient: number(view, "connections_per_client", 1...1_000_000) ?? 512,
            signIn: limit(
                view.map("sign_in"), standard: Settings.Limits.Rate(count: 20, per: .seconds(60), burst: 40)),
            mail: limit(
                view.map("mail"), standard: Settings.Limits.Rate(count: 5, per: .seconds(3600), burst: 5)),
            exemptNetworks: (view.texts("exempt_networks") ?? []).compactMap { view.parseNetwork($0.text, $0.value) })
    }

    private func limit(_ view: MapView, standard: Settings.Limits.Rate) -> Settings.Limits.Rate {
        let rate = rate(view) ?? (standard.count, standard.per)
        return Settings.Limits.Rate(
            count: rate.count, per: rate.per, burst: number(view, "burst", 1...100_000) ?? standard.burst)
    }

    /// `20/m`.
    private func rate(_ view: MapView) -> (count: Int, per: Duration)? {
        guard let (text, value) = view.filled("rate") else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let seconds: [Substring: Int64] = ["s": 1, "m": 60, "h": 3600]
        guard parts.count == 2, let count = Measures.wholeNumber(String(parts[0])), (1...100_000).contains(count),
            let per = seconds[parts[1]]
        else {
            reading.refuse(value)
            return nil
        }
        return (count, .seconds(per))
    }

    private func number(_ view: MapView, _ key: String, _ range: ClosedRange<Int>) -> Int? {
        guard let (text, value) = view.filled(key) else { return nil }
        guard let number = Measures.wholeNumber(text), range.contains(number) else {
            reading.refuse(value)
            return nil
        }
        return number
    }
}
