public import Core
internal import Cryptography
public import Logging

/// What a certificate's identity rests on: nothing but its names, and that TLS verified it.
private final class VerifiedCertificate: Sendable {
    let notBefore: Timestamp

    init(notBefore: Timestamp) { self.notBefore = notBefore }
}

/// Judges client certificates that TLS has verified. One an event loop; not Sendable, never waits.
///
/// A certificate is a foreign identity: `cert:` and the subject's common name (without one, the first alternative name
/// that is a host, a URI or an e-mail address), in no group, its e-mail address never verified. No local account can be
/// meant by it, since none has a colon behind such a prefix; and nothing is matched. It is known by a digest of subject
/// and issuer, which a renewed certificate keeps.
public final class CertificateReader: CredentialReader {
    private static let maximumName = 255

    private let standing: any ForeignStanding
    private let log: Logger
    private let hasher = SHA256.Hasher()
    private var known: ClockCache<SHA256Digest, ForeignIdentity>

    /// - Parameters:
    ///   - standing: this loop's.
    ///   - log: told of each certificate that is seen for the first time, as a block has to name it.
    ///   - cacheEntries: how many certificates are remembered; 0 reads in every call.
    public init(standing: any ForeignStanding, log: Logger, cacheEntries: Int = 4096) {
        self.standing = standing
        self.log = log
        known = ClockCache(capacity: cacheEntries)
    }

    /// Answers `notMine` for everything but a certificate.
    public func read(_ credential: borrowing PresentedCredential, at now: Timestamp) -> CredentialReading {
        guard credential.source == .certificate else { return .notMine }
        let digest = hasher.digest(credential.bytes)
        if let place = known.find(digest) { return judge(known[place], at: now) }
        guard let names = CertificateNames(der: credential.bytes), let identity = Self.identity(names, digest) else {
            log.warning("a client certificate names nobody that an app could be told")
            return .refused(CredentialRefusal(.credentialUnknown))
        }
        known.insert(identity, for: digest)
        log.info(
            "a client certificate was shown for the first time",
            metadata: [
                "user": "\(identity.user)", "issuer": "\(identity.issuer)", "subject": "\(identity.subject)",
                "not_after": "\(identity.expiresAt.rfc3339)",
            ])
        return judge(identity, at: now)
    }

    public func recheck(_ identity: Identity, at now: Timestamp) -> CredentialReading {
        guard case .foreign(let foreign)? = identity.origin, foreign.evidence is VerifiedCertificate else {
            return .notMine
        }
        return judge(foreign, at: now)
    }

    private func judge(_ identity: ForeignIdentity, at now: Timestamp) -> CredentialReading {
        let isEarly = (identity.evidence as? VerifiedCertificate).map { now < $0.notBefore } ?? true
        guard !isEarly, now < identity.expiresAt else {
            return .refused(
                CredentialRefusal(.credentialExpired, user: identity.user, credentialID: identity.credentialID))
        }
        return standing.standing(of: identity, at: now)
    }

    private static func identity(_ names: CertificateNames, _ digest: SHA256Digest) -> ForeignIdentity? {
        guard let name = name(names), isPlain(name), isPlain(names.issuerText), names.issuerText.utf8.count <= 1024
        else { return nil }
        let address = names.alternatives.first { $0.kind == .email }.flatMap { EmailAddress($0.text) }
        return ForeignIdentity(
            kind: .certificate, issuerID: ForeignIdentity.certificates, issuer: names.issuerText,
            subject: SHA256.digest(names.subject + names.issuer).hex,
            user: "\(ForeignIdentity.certificates):\(name)", email: address, emailVerified: false, name: "", groups: [],
            scopes: nil, amr: [], authenticatedAt: nil,
            expiresAt: names.notAfter, credentialID: String(digest.hex.prefix(16)), matching: .none,
            evidence: VerifiedCertificate(notBefore: names.notBefore))
    }

    /// Nil when it names nobody, or in too many words, or with a space at an end, which whoever reads a header drops.
    private static func name(_ names: CertificateNames) -> String? {
        let name = names.commonName ?? names.alternatives.first?.text ?? ""
        guard (1...maximumName).contains(name.utf8.count), name.utf8.first != 0x20, name.utf8.last != 0x20
        else { return nil }
        return name
    }

    /// Without control bytes, and without what was not UTF-8.
    private static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            scalar.value >= 0x20 && !(0x7f..<0xa0).contains(scalar.value) && scalar != "\u{fffd}"
        }
    }
}
