internal import Policy

/// The names that only Gatehouse may speak, for proxies that cannot take out whole families of them.
extension SnippetSite {
    /// Further names under which an app may look for a user, or for another request than the one that was judged.
    static let foreignNames =
        [
            "Gatehouse-Key", "Gatehouse-Assertion", "Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups",
            "Remote-Role", "Remote-Roles", "X-Remote-User", "X-Remote-Email", "X-Remote-Name", "X-Remote-Groups",
            "X-Remote-Group", "X-Remote-Role", "X-Remote-Roles", "X-Auth-Request-User", "X-Auth-Request-Email",
            "X-Auth-Request-Preferred-Username", "X-Auth-Request-Groups", "X-Auth-Request-Roles", "X-Forwarded-User",
            "X-Forwarded-Email", "X-Forwarded-Preferred-Username", "X-Forwarded-Groups", "X-Forwarded-Roles",
            "X-Forwarded-Role", "X-Forwarded-Name", "X-Forwarded-Login", "X-WEBAUTH-USER", "X-WEBAUTH-EMAIL",
            "X-WEBAUTH-NAME", "X-WEBAUTH-GROUPS", "X-WEBAUTH-ROLE", "X-WEBAUTH-ROLES", "X-WEBAUTH-ADMIN",
            "X-WEBAUTH-FULLNAME", "X-Gatehouse-User", "X-Gatehouse-Groups", "X-Original-URL", "X-Original-URI",
            "X-Original-Path", "X-Original-Method", "X-Original-Host", "X-Original-Proto", "X-Original-For",
            "X-Original-Forwarded-For", "X-Original-Remote-Addr", "X-Rewrite-URL", "X-HTTP-Method-Override",
            "X-HTTP-Method", "X-Method-Override", "X-Remote-Addr", "X-Remote-IP", "X-Remote-Host",
            "X-Auth-Request-Access-Token", "X-Forwarded-Access-Token", "X-Auth-Request-Redirect", "X-Client-Cert",
            "X-Client-Cert-Chain", "X-Client-Cert-DN", "X-Client-Cert-Subject", "X-Client-Cert-Issuer",
            "X-Client-Cert-Serial", "X-Client-Cert-Verify", "X-Client-Certificate", "X-Client-Cert-Verified",
            "X-Forwarded-Client-Cert", "X-Forwarded-Client-Cert-Chain", "X-Forwarded-Tls-Client-Cert",
            "X-Forwarded-Tls-Client-Cert-Info", "X-Forwarded-SSL-Client-Cert", "X-Forwarded-Scheme",
            "X-Forwarded-Ssl", "X-Forwarded-Protocol", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Forwarded-Url",
            "X-Forwarded-Method", "X-Forwarded-By", "X-Forwarded-Root", "X-Envoy-Original-Path",
            "X-Envoy-Original-Host", "X-Envoy-External-Address", "X-Envoy-Internal",
            "X-Envoy-Peer-Metadata", "Proxy", "Proxy-User", "Proxy-Remote-User", "Proxy-Authorization",
            "X-Forwarded-Prefix", "Forwarded",
        ] + addressNames

    /// The same of where the request came from and through; a proxy may have written them itself.
    static let addressNames = ["X-Real-IP", "X-Forwarded-Port", "X-Forwarded-Server"]

    /// Names of others than `own` that a client must not bring.
    func foreign(besides own: [String]) -> [String] {
        let kept = Set(own.map { $0.lowercased() })
        var seen: Set<String> = []
        return (identityNames + Self.foreignNames).filter {
            !kept.contains($0.lowercased()) && seen.insert($0.lowercased()).inserted
        }
    }

    /// All names that begin with `family` and then a letter or a digit, but those in whose place one of `kept` may stand,
    /// for proxies whose patterns know a star at the end alone.
    static func patterns(of family: String, keeping kept: [Character]) -> [String] {
        "abcdefghijklmnopqrstuvwxyz0123456789-".filter { !kept.contains($0) }.map { "\(family)\($0.uppercased())*" }
    }
}
