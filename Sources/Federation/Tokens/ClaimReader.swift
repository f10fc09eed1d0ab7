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
    /// - Returns: nil when the token names no user, or one that cannot be written into a header: with a control byte,
    ///   or with a space at an end, which whoever reads the header would drop.
    func identity(_ claims: Claims, digest: TokenDigest, evidence: any AnyObject & Sendable) -> ForeignIdentity? {
        guard let subject = claims.string(issuer.claims.user), Self.isPlain(subject), !subject.isEmpty,
            subject.utf8.count <= 255, subject.utf8.first != 0x20, subject.utf8.last != 0x20,
            let end = claims.time("exp")
        else { return nil }
        let (email, isExact) = email(claims)
        let name = claims.string(issuer.claims.name) ?? ""
        return ForeignIdentity(
            issuerID: issuer.id, issuer: issuer.issuer, subject: subject, user: issuer.userPrefix + subject,
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
        (claims.strings(issuer.claims.groups) ?? []).compactMap { name in
            let group = issuer.groupsPrefix + name
            // Groups that Gatehouse itself gives meaning to are never somebody else's to hand out.
            guard !name.isEmpty, Self.isGroup(group), !group.lowercased().hasPrefix("gatehouse-") else { return nil }
            return group
        }
    }

    /// One text of words, or a list of them (RFC 8693 section 4.2; some issuers write `scp` as a list).
    private func words(_ claims: Claims, _ name: String) -> [String]? {
        if let text = claims.string(name) { return text.split(separator: " ").map(String.init) }
        return claims.strings(name)
    }

    static func isGroup(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x3a, 0x40...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"),
                    UInt8(ascii: "/"):
                    true
                default: false
                }
            }
    }

    static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }

    private static func loggable(_ text: String) -> String? {
        (1...128).contains(text.utf8.count) && isPlain(text) ? text : nil
    }
}
