/// The keys that are about people who sign in.
extension Schema {
    static let signIn: [Key] = [
        Key("sessions", .section, "{}", "How long people stay signed in."),
        Key("sessions.idle", .duration, "12h", "A session that is not used for so long ends."),
        Key("sessions.lifetime", .duration, "24h", "However much it is used."),
        Key("sessions.remember", .duration, "30d", "Instead of both, where the person ticked it."),
        Key("sessions.cookie", .section, "{}", "The session's cookie."),
        Key("sessions.cookie.name", .text("a name of letters, digits, - and _"), "gatehouse", "Its name."),
        Key(
            "sessions.cookie.domain", .text("a domain like example.com"), nil,
            "Absent: only public_url's host sees a session."),
        Key("tokens", .section, "{}", "Our own tokens."),
        Key("tokens.access_lifetime", .duration, "15m", "How long an access token lasts."),
        Key("tokens.refresh_lifetime", .duration, "30d", "How long a refresh token waits for its use."),
        Key("login", .section, "{}", "How people sign in."),
        Key(
            "login.registration", .choice(["closed", "invited", "open"]), "closed",
            "Who may register: nobody, who has an invitation, everybody who reads their mail."),
        Key("login.password", .section, "{}", "Passwords."),
        Key("login.password.enabled", .boolean, "true", "People may sign in with a password."),
        Key(
            "login.password.min_length", .text("a number from 8 to 128"), "12",
            "Of new passwords, in characters."),
        Key("login.magic_link", .section, "{}", "Signing in by a link in a mail."),
        Key("login.magic_link.enabled", .boolean, "false", "People may."),
        Key("login.magic_link.lifetime", .duration, "15m", "How long a link is good; a minute to a day."),
        Key("login.lockout", .section, "{}", "When failed sign-ins lock an account."),
        Key("login.lockout.failures", .text("a number from 1 to 1000"), "5", "So many lock it."),
        Key("login.lockout.period", .duration, "30m", "How long a lock lasts, and how long a failure counts."),
        Key("login.passkeys", .section, "{}", "Passkeys and security keys."),
        Key(
            "login.passkeys.enabled", .boolean, nil,
            "Default: true where browsers can use them: on https and localhost, by name."),
        Key("login.passkeys.rp_id", .text("a domain like example.com"), nil, "Default: the host of public_url."),
        Key(
            "login.passkeys.origins", .texts("an origin like https://example.org"), "[]",
            "More origins whose pages may use them."),
        Key(
            "login.passkeys.user_verification", .choice(["required", "preferred", "discouraged"]), "preferred",
            "Whether an authenticator has to know who holds it."),
        Key(
            "login.two_factor", .choice(["optional", "required"]), "optional",
            "required: who has no second factor sets one up at the next sign-in."),
        Key(
            "login.trust_device", .text("none, or a duration like 30d"), "none",
            "For so long a device that was trusted is not asked for a second factor; rules with factors still ask."),
        Key("limits", .section, "{}", "What one client may take."),
        Key(
            "limits.connections_per_client", .text("a number from 1 to 1000000"), "512",
            "Of one address, or of 64 bits of IPv6."),
        Key("limits.sign_in", .section, "{}", "Sign-ins, and whatever else a password can be guessed by."),
        Key("limits.sign_in.rate", .text("a rate like 20/m, per s, m or h"), "20/m", "So many in a time."),
        Key("limits.sign_in.burst", .text("a number from 1 to 100000"), "40", "So many at once."),
        Key("limits.mail", .section, "{}", "Mails that a form sends: of one client, and to one address."),
        Key("limits.mail.rate", .text("a rate like 5/h, per s, m or h"), "5/h", "So many in a time."),
        Key("limits.mail.burst", .text("a number from 1 to 100000"), "5", "So many at once."),
        Key(
            "limits.exempt_networks", .texts("a network like 10.0.0.0/8"), "[]",
            "Not limited; trusted_proxies are not either."),
    ]
}
