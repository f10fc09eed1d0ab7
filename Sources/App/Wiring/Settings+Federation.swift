internal import Core
internal import Federation
internal import JOSE
internal import Settings

extension Settings {
    /// What the foreign issuers are configured with.
    func issuerConfigurations() throws -> [IssuerConfiguration] {
        try issuers.map { issuer in
            let keys: IssuerConfiguration.KeySource
            switch issuer.keys {
            case .url(let url): keys = .url(url)
            case .discovery: keys = .discovery
            case .file(let path, let content):
                // A command that leaves the secrets alone still needs the issuer's keys.
                keys = .inline(try content.map { $0.withUnsafeBytes { Array($0) } } ?? TextFile.bytes(path))
            }
            return IssuerConfiguration(
                id: issuer.id, issuer: issuer.issuer, audiences: issuer.audiences, keys: keys,
                algorithms: Set(issuer.algorithms.compactMap(JWSAlgorithm.init(rawValue:))),
                claims: .init(
                    user: issuer.claims.user, email: issuer.claims.email, groups: issuer.claims.groups,
                    scopes: issuer.claims.scopes),
                userPrefix: issuer.userPrefix, groupsPrefix: issuer.groupsPrefix, emailTrusted: issuer.emailTrusted,
                matching: issuer.matching)
        }
    }
}
