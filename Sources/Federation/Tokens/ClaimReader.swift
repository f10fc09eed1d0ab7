internal import Core
internal import JOSE

/// Makes an identity of a verified token's claims, as its issuer's configuration says.
struct ClaimReader {
    private let issuer: IssuerConfiguration
    private let leeway: Duration

    init(_ issuer: IssuerConfiguration, leeway: Duration) {
        self.issuer = issuer
        self.leeway = leeway
    }

    /// - Parameter evidence: what its signature was good by.
    /// - Returns: nil when the token names no user, or the one of a client certificate, or one that cannot be written
    ///   into a header: with a control byte, or with a space at an end, which whoever reads the header would drop.
    func identity(_ claims: Claims, digest: TokenDigest, evidence: any AnyObject & Sendable) -> ForeignIdentity? {
        guard let subject = claims.string(issuer.claims.user), Self.isPlain(subject), !subject.isEmpty,
            subject.utf8.count <= 255, subject.utf8.first != 0x20, subject.utf8.last != 0x20,
            let end = claims.time("exp")
        else { return nil }
        let user = issuer.userPrefix + subject
        guard !user.lowercased().hasPrefix(ForeignIdentity.certificates + ":") else { return nil }
        let (email, isExact) = email(claims)
        let name = claims.string(issuer.claims.name) ?? ""
        return ForeignIdentity(
            issuerID: issuer.id, issuer: issuer.issuer, subject: subject, user: user,
            email: email, emailVerified: isExact && (issuer.emailTrusted || claims.bool("email_verified") == true),
            name: Self.isPlain(name) && name.utf8.count <= 255 ? name : "", groups: groups(claims),
            scopes: words(claims, issuer.claims.scopes), amr: claims.strings("amr") ?? [],
            authenticatedAt: claims.time("auth_time"), expiresAt: end + leeway,
            credentialID: claims.string("jti").flatMap(Self.loggable) ?? digest.hex(first: 8),
            matching: issuer.matching, evidence: evidence)
    }

    /// An address that is written in another way than one is counts for what is held against it, never for it: a block
    /// is not got round by a dot behind the domain.
    private func email(_ claims: Claims) -> (address: EmailAddress?, isExact: Bool) {
        if let exact = claims.string(issuer.claims.email).flatMap({ EmailAddress($0) }) { return (exact, true) }
        guard let said = claims.strings(issuer.claims.email)?.first else { return (nil, false) }
        let plain = said.drop { $0 == " " }.reversed().drop { $0 == " " || $0 == "." }.reversed()
        return (EmailAddress(String(plain)), false)
    }

    private func groups(_ claims: Claims) -> [String] {
        Self.groups(claims.strings(issuer.claims.groups) ?? [], prefix: issuer.groupsPrefix)
    }

    /// Somebody else's groups as ours. Left out are those that cannot be written, and those that Gatehouse itself gives
    /// meaning to: they are never somebody else's to hand out.
    static func groups(_ names: [String], prefix: String) -> [String] {
        names.compactMap { name in
            let group = prefix + name
            return !name.isEmpty && GroupName.isValid(group) && !GroupName.isReserved(group) ? group : nil
        }
    }

    /// One text of words, or a list of them (RFC 8693 section 4.2; some issuers write `scp` as a list).
    private func words(_ claims: Claims, _ name: String) -> [String]? {
        if let text = claims.string(name) { return text.split(separator: " ").map(String.init) }
        return claims.strings(name)
    }

    /// Without control characters, of ASCII or of Latin-1: many who read a header take its bytes for that.
    static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }
    }

    private static func loggable(_ text: String) -> String? {
        (1...128).contains(text.utf8.count) && isPlain(text) ? text : nil
    }
}
