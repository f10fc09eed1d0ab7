/// Every key that there is, in one table: what it takes, its default, and what it is for. Unknown keys, suggestions,
/// defaults and the reference file in `config/` are all held against it.
enum Schema {
    /// The keys of the main file.
    static let main = SchemaNode.tree(rows)
    /// The keys of a file that `include` names.
    static let included = SchemaNode.tree(includedRows)

    static let rows: [Key] =
        general + peers + upstreams(at: "upstreams") + policy + credentials + signIn + providers + mail + notices
        + audit + branding

    static let includedRows: [Key] =
        upstreams(at: "upstreams") + [
            Key("scopes", .section, "{}", "Scopes that owners may give their keys, as in api_keys.scopes."),
            Key("scopes.*", .text("a description"), nil, "What the scope is for."),
            Key("rule_sets", .section, "{}", "Rules that several routes share."),
            Key("rule_sets.*", .section, nil, "A list of rules."),
        ] + rules(at: "rule_sets.*") + routes

    private static let general: [Key] = [
        Key("public_url", .text("an origin like https://auth.example.com"), nil, "The portal's origin; issues tokens."),
        Key("include", .texts("a file or a pattern like routes.d/*.yaml"), "[]", "Files with more routes and so on."),
        Key("listen", .section, "[{}]", "Where requests are taken."),
        Key(
            "listen[].address", .text("HOST:PORT, \"[V6]:PORT\", unix:/PATH or systemd:NAME"), "127.0.0.1:8080",
            "The address of this listener."),
        Key(
            "listen[].serve", .choices(["apps", "portal", "check"]), "[apps, portal, check]",
            "What it answers; the rest is 404."),
        Key("listen[].unix", .section, nil, "The file of a unix socket."),
        Key("listen[].unix.mode", .text("an octal file mode like \"0660\""), "\"0660\"", "The socket's file mode."),
        Key("listen[].unix.group", .text("the name of a group"), nil, "The socket's group."),
        Key("listen[].tls", .section, "none", "TLS 1.2 and 1.3."),
        Key("listen[].tls.certificates", .section, nil, "By the names in them; the first for all other names."),
        Key("listen[].tls.certificates[].certificate", .text("a PEM file"), nil, "The certificate with its chain."),
        Key("listen[].tls.certificates[].private_key", .text("a PEM file"), nil, "Its key; others may not read it."),
        Key("listen[].tls.minimum", .choice(["1.2", "1.3"]), "1.2", "The oldest version."),
        Key(
            "listen[].tls.client_ca", .text("a PEM file"), nil,
            "Asks for client certificates of these issuers; they are credentials."),
        Key("listen[].redirect_to_https", .boolean, "false", "Answers 308 to the same host's https; checks go on."),
        Key(
            "listen[].proxy_protocol", .boolean, "false",
            "Only for trusted_proxies, which tell the client's address (version 2)."),
        Key(
            "monitor_listen", .text("HOST:PORT, \"[V6]:PORT\" or unix:/PATH"), "127.0.0.1:9180",
            "For /healthz, /readyz and /metrics."),
        Key("data_dir", .text("a folder"), "/var/lib/gatehouse", "The store."),
        Key("store", .section, "{}", "How the store is opened."),
        Key("store.max_size", .size, "64GiB", "The store's map; sparse, so it costs no disk."),
        Key("master_key", .secret, "{ file: master.key }", "32 bytes in base 64; seals what must be read back."),
        Key("previous_master_keys", .section, "[]", "Older master keys that still open what they sealed."),
        Key("previous_master_keys[]", .secret, nil, "32 bytes in base 64."),
        Key("workers", .text("auto or a number from 1 to 1024"), "auto", "Event loops; auto: one a CPU."),
        Key(
            "reload", .choice(["signal", "watch"]), "signal",
            "When changed files are taken: on SIGHUP and `gatehouse reload`, or also by themselves."),
        Key("drain", .duration, "30s", "How long a stop waits for requests in flight."),
        Key("log", .section, "{}", "What is logged, and how."),
        Key("log.format", .choice(["auto", "text", "json"]), "auto", "auto: text on a terminal, else JSON."),
        Key(
            "log.level", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), "info",
            "The least that is logged."),
        Key("log.requests", .text("none, denied, all or a share like 1%"), "denied", "Which requests are logged."),
    ]

    private static let peers: [Key] = [
        Key(
            "trusted_proxies", .texts("a network like 10.0.0.0/8, or unix"), "[]",
            "Who may describe a request or a client."),
        Key("proxy_secret", .secret, "none", "Such a peer must also send it as Gatehouse-Proxy-Secret."),
    ]

    private static func upstreams(at path: String) -> [Key] {
        [
            Key(path, .section, "{}", "The apps."),
            Key("\(path).*", .section, nil, "An app by its name."),
            Key(
                "\(path).*.url", .texts("http://HOST:PORT, https://HOST:PORT, h2c://HOST:PORT or unix:/PATH"), nil,
                "Where it answers; one or several."),
            Key("\(path).*.host", .choice(["preserve", "upstream"]), "preserve", "The Host that the app sees."),
            Key("\(path).*.connect_timeout", .duration, "5s", "For a connection."),
            Key("\(path).*.first_byte_timeout", .duration, "60s", "For the beginning of an answer."),
            Key("\(path).*.idle_timeout", .duration, "1h", "Between bytes of bodies and event streams."),
            Key("\(path).*.health", .section, "none", "A request that each server has to answer with 2xx or 3xx."),
            Key("\(path).*.health.path", .text("a path like /healthz"), nil, "What is asked for, with GET."),
            Key("\(path).*.health.every", .duration, "10s", "From one request to the next."),
            Key("\(path).*.tls", .section, "{}", "For https addresses; their certificates are always verified."),
            Key("\(path).*.tls.ca", .text("system or a PEM file"), "system", "Who may have issued its certificate."),
            Key("\(path).*.tls.server_name", .text("a host name"), nil, "Of its certificate; default: the URL's."),
            Key("\(path).*.tls.certificate", .text("a PEM file"), nil, "What we show of ourselves."),
            Key("\(path).*.tls.private_key", .text("a PEM file"), nil, "Its key; others may not read it."),
        ]
    }

    private static let policy: [Key] =
        [
            Key("identity_headers", .section, "{}", "How apps are told who asks.")
        ] + identityHeaders(at: "identity_headers", preset: "remote", assertion: "true") + [
            Key("rule_sets", .section, "{}", "Rules that several routes share."),
            Key("rule_sets.*", .section, nil, "A list of rules; a route says `rules: NAME`."),
        ] + rules(at: "rule_sets.*") + routes

    private static func identityHeaders(at path: String, preset: String?, assertion: String?) -> [Key] {
        let presets = "remote, x-auth-request, x-forwarded or a map of header names"
        return [Key("\(path).preset", .text(presets), preset, "The names of the headers.")]
            + ["user", "email", "name", "groups"].map {
                Key("\(path).preset.\($0)", .text("a header name"), nil, "The header for it, in a set of your own.")
            }
            + ["user", "email", "name", "groups"].map {
                Key("\(path).\($0)", .text("a header name"), nil, "The same, without writing `preset`.")
            }
            + [Key("\(path).assertion", .boolean, assertion, "Also a signed Gatehouse-Assertion.")]
    }

    private static let routes: [Key] =
        [
            Key("routes", .section, nil, "The first whose host and path match decides."),
            Key("routes[].name", .text("a name"), nil, "Default: the first host. In audit, metrics, logs and keys."),
            Key("routes[].host", .texts("a host name or \"*.example.com\""), nil, "Absent: any."),
            Key(
                "routes[].paths", .texts("a path pattern like /wiki/**"), "[\"/**\"]", "The part of the host it takes."),
            Key("routes[].upstream", .text("the name of an upstream"), nil, "Absent: only checks."),
            Key("routes[].strip_prefix", .text("a path like /wiki"), "\"\"", "Taken off before the app sees the path."),
            Key("routes[].audience", .text("a name"), nil, "Of the assertion; default: the name."),
            Key("routes[].scheme", .choice(["https", "http"]), nil, "Default: that of public_url."),
            Key("routes[].identity_headers", .section, "{}", "Over the global ones."),
        ] + identityHeaders(at: "routes[].identity_headers", preset: nil, assertion: nil) + [
            Key("routes[].groups_shown", .texts("a pattern like wiki-*"), "[\"*\"]", "The groups this app is told."),
            Key(
                "routes[].credentials_from", .choices(["cookie", "key", "authorization"]),
                "[cookie, key, authorization]", "Where a credential is looked for."),
            Key("routes[].challenge", .choice(["bearer", "basic"]), "bearer", "The scheme of WWW-Authenticate."),
            Key("routes[].providers", .texts("the id of a provider"), "[]", "The only sign-in offered for it."),
            Key(
                "routes[].forward_access_token", .boolean, "false",
                "The access token of the provider by which somebody signed in goes to the app."),
            Key("routes[].forward_credential", .boolean, "true", "A foreign JWT goes on to the app."),
            Key(
                "routes[].origins", .texts("an origin like https://pages.example.com"), "[]",
                "Besides its own host: from where an Upgrade by cookie may come."),
            Key("routes[].max_body", .text("none or a size like 10MiB"), "none", "The longest request body."),
            Key(
                "routes[].keep_in_path", .choices(["encoded_slash", "encoded_backslash", "empty_segment"]), "[]",
                "What is not refused in a path, though readers differ about it."),
            Key("routes[].ignore_path_case", .boolean, "false", "Paths are compared without regard to case."),
            Key("routes[].rules", .section, nil, "The first that matches decides; or the name of a rule set."),
        ] + rules(at: "routes[].rules")

    private static func rules(at path: String) -> [Key] {
        [
            Key("\(path)[].name", .text("a name"), nil, "For logs and explain."),
            Key("\(path)[].paths", .texts("a path pattern like /admin/**"), nil, "Absent: all."),
            Key("\(path)[].methods", .texts("a method like POST"), nil, "Absent: all; GET covers HEAD."),
            Key("\(path)[].networks", .texts("a network like 192.0.2.0/24"), nil, "Absent: all."),
            Key("\(path)[].preflight", .boolean, nil, "Only CORS preflights."),
            Key("\(path)[].shadow", .boolean, "false", "Judged and logged, not enforced."),
        ]
            + requirements(at: "\(path)[].allow", words: "everyone, signed_in, a map or a list of maps")
            + requirements(at: "\(path)[].deny", words: "everyone, a map or a list of maps")
    }

    private static func requirements(at path: String, words: String) -> [Key] {
        [
            Key(path, .text(words), nil, "Who; of a list one map must hold."),
            Key("\(path)[].users", .texts("a user name"), nil, "Any of these."),
            Key("\(path)[].groups", .texts("a group"), nil, "Any of these."),
            Key("\(path)[].scopes", .texts("a scope"), nil, "All of these."),
            Key("\(path)[].factors", .text("2 or passkey"), nil, "What the sign-in proved."),
            Key("\(path)[].max_age", .duration, nil, "How long ago the sign-in may be."),
            Key("\(path)[].credentials", .choices(["session", "api_key", "jwt", "certificate"]), nil, "Any of these."),
        ]
    }

    private static let credentials: [Key] = [
        Key("jwt", .section, "{}", "Tokens of other issuers."),
        Key("jwt.issuers", .section, "[]", "The issuers whose tokens are credentials."),
        Key("jwt.issuers[].id", .text("a short name like corp"), nil, "In logs, and the default prefix."),
        Key("jwt.issuers[].issuer", .text("the iss of its tokens"), nil, "Compared exactly."),
        Key("jwt.issuers[].audiences", .texts("an audience"), nil, "One of these must be in aud."),
        Key("jwt.issuers[].jwks_url", .text("an https URL"), nil, "Its keys; or jwks_file; neither: discovery."),
        Key("jwt.issuers[].jwks_file", .text("a file"), nil, "Its keys; may hold symmetric ones."),
        Key(
            "jwt.issuers[].algorithms",
            .choices([
                "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256",
                "HS384", "HS512",
            ]), "[RS256, ES256, EdDSA]", "What its tokens may be signed with; HS… only with jwks_file."),
        Key("jwt.issuers[].claims", .section, "{}", "Where things stand in its tokens."),
        Key("jwt.issuers[].claims.user", .text("a claim"), "sub", "The user."),
        Key("jwt.issuers[].claims.email", .text("a claim"), "email", "The e-mail address."),
        Key("jwt.issuers[].claims.groups", .text("a claim"), "groups", "The groups."),
        Key("jwt.issuers[].claims.scopes", .text("a claim"), "scope", "The scopes."),
        Key("jwt.issuers[].user_prefix", .text("a prefix"), nil, "Default: the id and a colon."),
        Key("jwt.issuers[].groups_prefix", .text("a prefix"), nil, "Default: the id and a colon."),
        Key("jwt.issuers[].email_trusted", .boolean, "false", "Its e-mails count as verified."),
        Key(
            "jwt.issuers[].match_users", .choice(["none", "email", "user"]), "none",
            "Be the local account of that e-mail or user."),
        Key("api_keys", .section, "{}", "API keys."),
        Key("api_keys.scopes", .section, "{}", "Scopes that owners may give their keys."),
        Key("api_keys.scopes.*", .text("a description"), nil, "What the scope is for."),
        Key("api_keys.require_routes", .boolean, "false", "Every new key must name its routes."),
        Key("api_keys.default_lifetime", .duration, "90d", "Of a key made without one."),
        Key("api_keys.max_lifetime", .duration, "365d", "No new key lasts longer."),
    ]

    private static let mail: [Key] = [
        Key("mail", .section, "none", "How mails go out: none, log, or by a mail server."),
        Key("mail.from", .text("an address like Gatehouse <auth@example.com>"), nil, "Who the mails are from."),
        Key("mail.smtp", .section, nil, "The server that mails are handed to."),
        Key("mail.smtp.host", .text("a host name or an address"), nil, "The server."),
        Key("mail.smtp.port", .text("a port"), nil, "Default: 587, with tls 465, with none 25."),
        Key(
            "mail.smtp.security", .choice(["starttls", "tls", "none"]), "starttls",
            "Certificates are always verified; without STARTTLS nothing is sent."),
        Key("mail.smtp.username", .text("a user name"), nil, "For the sign-in at the server."),
        Key("mail.smtp.password", .secret, nil, "Its password."),
    ]

    private static let audit: [Key] = [
        Key("audit", .section, "{}", "The audit log."),
        Key(
            "audit.access", .choice(["none", "daily", "hourly"]), "daily", "One access event per user, route and this."),
        Key("audit.retention", .duration, "400d", "How long events are kept."),
    ]
}
