/// The keys of those who say who people are.
extension Schema {
    static let providers: [Key] = [
        Key("login.providers", .section, "[]", "Sign-in at others: OpenID Connect, and GitHub."),
        Key(
            "login.providers[].id", .text("a short name like corp"), nil,
            "In addresses, logs and routes; never changed."),
        Key(
            "login.providers[].kind", .choice(["google", "github", "gitlab", "microsoft", "oidc"]), nil,
            "What it is."),
        Key("login.providers[].name", .text("a name"), nil, "On the button; default: that of the kind, or the id."),
        Key(
            "login.providers[].issuer", .text("an https URL"), nil,
            "Needed for oidc and microsoft (with the tenant's id); else for one's own GitLab or GitHub."),
        Key("login.providers[].client_id", .text("what the provider calls us"), nil, "From the provider's console."),
        Key("login.providers[].client_secret", .secret, nil, "Likewise."),
        Key("login.providers[].scopes", .texts("a scope"), nil, "Default: what the kind needs."),
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
}
