/// The keys of those who say who people are.
extension Schema {
    static let providers: [Key] = providersOfAnyKind + providersOfSomeKinds

    private static let providersOfAnyKind: [Key] = [
        Key("login.providers", .section, "[]", "Sign-in at others: OpenID Connect, GitHub, and OAuth 2.0."),
        Key(
            "login.providers[].id", .text("a short name like corp"), nil,
            "In addresses, logs and routes; never changed."),
        Key(
            "login.providers[].kind", .choice(["google", "github", "gitlab", "microsoft", "apple", "oidc", "oauth2"]),
            nil,
            "What it is."),
        Key("login.providers[].name", .text("a name"), nil, "On the button; default: that of the kind, or the id."),
        Key(
            "login.providers[].issuer", .text("an https URL"), nil,
            "Needed for oidc and microsoft (with the tenant's id); else for one's own GitLab or GitHub. With the subject "
                + "it is what people are known by; oauth2: by default the origin of userinfo_endpoint."),
        Key("login.providers[].client_id", .text("what the provider calls us"), nil, "From the provider's console."),
        Key("login.providers[].client_secret", .secret, nil, "Likewise; Apple has none."),
        Key("login.providers[].scopes", .texts("a scope"), nil, "Default: what the kind needs; oauth2: none."),
        Key("login.providers[].accept", .section, nil, "Whom it may bring: anyone, or all of these that are written."),
        Key("login.providers[].accept.emails", .texts("an e-mail address"), nil, "Verified; any of these."),
        Key("login.providers[].accept.domains", .texts("a domain"), nil, "Of a verified address; any of these."),
        Key("login.providers[].accept.hosted_domains", .texts("a domain"), nil, "Google Workspace; any of these."),
        Key("login.providers[].accept.groups", .texts("a group"), nil, "As the provider calls them; any of these."),
        Key("login.providers[].accept.organizations", .texts("an organisation"), nil, "GitHub's; any of these."),
        Key(
            "login.providers[].create_users", .boolean, "false",
            "A first accepted sign-in makes an account, whatever `registration` says."),
        Key(
            "login.providers[].claim_accounts", .texts("a domain"), "[]",
            "E-mail domains that this provider owns: it may sign in to accounts with such an address."),
        Key("login.providers[].groups", .section, "{}", "Groups that its people get."),
        Key("login.providers[].groups.add", .texts("a group"), "[]", "All of them get these."),
        Key("login.providers[].groups.claim", .text("a claim"), "groups", "And those that it names here."),
        Key("login.providers[].groups.prefix", .text("a prefix"), nil, "Before those; default: the id and a colon."),
    ]
    private static let providersOfSomeKinds: [Key] = [
        Key("login.providers[].team_id", .text("10 letters and digits"), nil, "Apple: of the developer account."),
        Key("login.providers[].key_id", .text("10 letters and digits"), nil, "Apple: of the key."),
        Key(
            "login.providers[].private_key", .secret, nil,
            "Apple: the .p8 file of the key; client secrets are signed with it, each good for five minutes."),
        Key(
            "login.providers[].authorization_endpoint", .text("an https URL"), nil,
            "oauth2: where the browser is sent."),
        Key("login.providers[].token_endpoint", .text("an https URL"), nil, "oauth2: where the code is exchanged."),
        Key(
            "login.providers[].userinfo_endpoint", .text("an https URL"), nil,
            "oauth2: a JSON document about whoever the access token is of."),
        Key(
            "login.providers[].token_endpoint_auth_method", .choice(["client_secret_basic", "client_secret_post"]),
            "client_secret_basic", "oauth2: how we say who we are."),
        Key(
            "login.providers[].claims", .section, "{}",
            "oauth2: where in that document things stand, as a.dotted.path or as a /json/pointer."),
        Key(
            "login.providers[].claims.subject", .text("a claim"), nil,
            "What never changes of a person and never becomes another's: a number or a text."),
        Key("login.providers[].claims.email", .text("a claim"), "email", "The e-mail address."),
        Key(
            "login.providers[].claims.email_verified", .text("a claim"), nil,
            "true: the provider has verified it; without this an address links and makes no account."),
        Key("login.providers[].claims.name", .text("a claim"), "name", "The display name."),
        Key(
            "login.providers[].email_trusted", .boolean, "false",
            "oauth2: the provider verifies every address, although its answer does not say so."),
    ]
}
