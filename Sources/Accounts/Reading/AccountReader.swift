public import Core
internal import Cryptography
internal import JOSE
internal import LMDB

/// Reads our own credentials: API keys, access tokens and sessions' cookies. One an event loop; not Sendable, never waits.
///
/// ```
///   gate_…                 shape and checksum → SHA-256 → cache → api_keys, users, blocks
///   a JWT with our `iss`   SHA-256 → cache → signature, typ, aud → sessions, users, blocks
///   what only looks like one and says our `iss`   refused
///   a cookie of our name   SHA-256 → cache → session_secrets, sessions, users, blocks
///   anything else          not mine
/// ```
public final class AccountReader: CredentialReader {
    private let store: Store
    private let hasher = SHA256.Hasher()
    private var reading: LoopReading<SHA256Digest>
    private var keys = SigningKeyRing(.access)

    /// - Parameter cacheEntries: how many credentials are remembered; 0: none.
    /// - Throws: `store` when all reader places are taken.
    public init(store: Store, cacheEntries: Int = 16_384) throws(AccountsError) {
        self.store = store
        reading = try LoopReading(store, capacity: cacheEntries)
    }

    /// How often records were decoded (for tests and metrics).
    public var decodes: Int { reading.decodes }
    /// How often the cache answered.
    public var hits: Int { reading.hits }

    /// Forgets everything, as after a reload.
    public func invalidate() {
        reading.removeAll()
    }

    public func read(_ credential: borrowing PresentedCredential, at now: Timestamp) -> CredentialReading {
        do {
            switch credential.source {
            case .cookie: return try readCookie(credential.bytes, .app, at: now)
            case .portalCookie: return try readCookie(credential.bytes, .portal, at: now)
            case .certificate: return .notMine
            case .keyHeader, .bearer, .basicPassword: break
            }
            if APIKeyText.isOurs(credential.bytes) { return try readKey(credential.bytes, at: now) }
            guard credential.source == .bearer else { return .notMine }
            guard Self.mayBeToken(credential.bytes) else { return unreadable(credential.bytes) }
            return try readToken(credential.bytes, credential.note, at: now)
        } catch {
            return .refused(CredentialRefusal(.storeUnavailable))
        }
    }

    private func readKey(_ bytes: Span<UInt8>, at now: Timestamp) throws -> CredentialReading {
        guard bytes.count == APIKeyText.count else { return .refused(CredentialRefusal(.credentialUnknown)) }
        let digest = hasher.digest(bytes)
        // A key that is cached was well formed; for any other the checksum is looked at before the store is.
        let outcome = try reading.finding(for: digest, onlyIf: { APIKeyText.isWellFormed(bytes) }) { transaction in
            try Findings.apiKey(digest.bytes, in: transaction)
        }
        return outcome?.reading(at: now) ?? .refused(CredentialRefusal(.credentialUnknown))
    }

    private func readToken(
        _ bytes: Span<UInt8>, _ note: CredentialNote?, at now: Timestamp
    ) throws -> CredentialReading {
        let digest = hasher.digest(bytes, note)
        try keys.refresh(store, reading)
        // The claims are looked at before the cache is asked only when the cache does not know the token.
        var answer: CredentialReading?
        let store = store
        let keys = keys
        let outcome = try reading.finding(for: digest) { transaction in
            switch OwnToken.judge(bytes, note, publicURL: store.configuration.publicURL, keys: keys.publicKeys) {
            case .foreign:
                return Finding(.notMine, [], in: transaction)
            case .unreadable:
                answer = unreadable(bytes)
                return nil
            case .refused(let reason):
                answer = .refused(CredentialRefusal(reason))
                return nil
            case .valid(let keyID, let session, let subject, let expiresAt):
                let origin = AccessTokenOrigin(
                    digest: digest.bytes, keyID: keyID, session: session, subject: subject, expiresAt: expiresAt)
                return try Findings.accessToken(origin, keys: keys.revision, in: transaction)
            }
        }
        return outcome?.reading(at: now) ?? answer ?? .refused(CredentialRefusal(.credentialUnknown))
    }

    /// Whatever stands in a cookie of our name is ours, so nothing here is `notMine`.
    private func readCookie(
        _ bytes: Span<UInt8>, _ plane: SessionOrigin.Plane, at now: Timestamp
    ) throws -> CredentialReading {
        guard SecretText.isWellFormed(bytes) else { return .refused(CredentialRefusal(.credentialUnknown)) }
        let digest = hasher.digest(bytes)
        let outcome = try reading.finding(for: digest) { transaction in
            try Findings.cookie(digest.bytes, plane: plane, in: transaction)
        }
        guard let outcome else { return .refused(CredentialRefusal(.credentialUnknown)) }
        return try session(outcome, plane: plane, isUse: true, at: now)
    }

    /// - Parameter isUse: a request, which keeps the session in use; an open tunnel does not.
    private func session(
        _ outcome: Outcome, plane: SessionOrigin.Plane, isUse: Bool, at now: Timestamp
    ) throws -> CredentialReading {
        guard case .identity(let identity) = outcome.reading(at: now) else { return outcome.reading(at: now) }
        // One cache serves both planes: what the one has found must not answer for the other.
        guard case .session(let origin) = identity.origin, origin.plane == plane else {
            return .refused(CredentialRefusal(.credentialUnknown))
        }
        guard case .session(_, let activity) = outcome else { return .identity(identity) }
        if activity.inUseUntil <= now {
            // Another loop may have seen it: what all of them saw is written every ten seconds.
            let last = try reading.read { transaction in try Findings.lastUse(of: origin.session, in: transaction) }
            if let last { activity.inUseUntil = max(activity.inUseUntil, last + activity.idle) }
            guard activity.inUseUntil > now else {
                return .refused(
                    CredentialRefusal(
                        .credentialExpired, user: identity.user, subject: identity.subject,
                        credentialID: identity.credentialID))
            }
        }
        if isUse { activity.inUseUntil = now + activity.idle }
        return .identity(identity)
    }

    public func recheck(_ identity: Identity, at now: Timestamp) -> CredentialReading {
        do {
            switch identity.origin {
            case .apiKey(let digest): return try recheckKey(digest, at: now)
            case .accessToken(let token): return try recheckToken(token, at: now)
            case .session(let origin): return try recheckSession(origin, at: now)
            case .foreign, nil: return .notMine
            }
        } catch {
            return .refused(CredentialRefusal(.storeUnavailable))
        }
    }

    private func recheckKey(_ bytes: [UInt8], at now: Timestamp) throws -> CredentialReading {
        guard let digest = SHA256Digest(bytes) else { return .refused(CredentialRefusal(.credentialUnknown)) }
        let outcome = try reading.finding(for: digest) { transaction in
            try Findings.apiKey(bytes, in: transaction)
        }
        return outcome?.reading(at: now) ?? .refused(CredentialRefusal(.credentialUnknown))
    }

    /// By the session: its secrets may have been replaced since, which ends no tunnel.
    private func recheckSession(_ origin: SessionOrigin, at now: Timestamp) throws -> CredentialReading {
        let digest = hasher.digest(Array("\(origin.plane.rawValue) session \(origin.session)".utf8).span)
        let outcome = try reading.finding(for: digest) { transaction in
            try Findings.session(
                origin.session, plane: origin.plane, until: Timestamp(milliseconds: .max), in: transaction)
        }
        guard let outcome else {
            return .refused(CredentialRefusal(.credentialRevoked, credentialID: origin.session))
        }
        return try session(outcome, plane: origin.plane, isUse: false, at: now)
    }

    /// Its signature was good when it came; now its key must still be one of ours.
    private func recheckToken(_ token: AccessTokenOrigin, at now: Timestamp) throws -> CredentialReading {
        try keys.refresh(store, reading)
        guard let digest = SHA256Digest(token.digest), keys.publicKeys.contains(where: { $0.keyID == token.keyID })
        else { return .refused(CredentialRefusal(.credentialUnknown, credentialID: token.session)) }
        let revision = keys.revision
        let outcome = try reading.finding(for: digest) { transaction in
            try Findings.accessToken(token, keys: revision, in: transaction)
        }
        return outcome?.reading(at: now) ?? .refused(CredentialRefusal(.credentialUnknown))
    }

    /// No token for us: but one that says it is ours is nobody else's either, however an app would read it.
    private func unreadable(_ bytes: Span<UInt8>) -> CredentialReading {
        LooseToken.names(bytes, issuer: store.configuration.publicURL)
            ? .refused(CredentialRefusal(.credentialUnknown)) : .notMine
    }

    // Every header that we sign is a JSON object without white space: {" in base64url is eyJ.
    private static func mayBeToken(_ bytes: Span<UInt8>) -> Bool {
        bytes.count > 3 && bytes[0] == UInt8(ascii: "e") && bytes[1] == UInt8(ascii: "y")
            && bytes[2] == UInt8(ascii: "J")
    }
}

/// What a JWT is to us before the records are asked; pure but for the signature.
enum OwnToken {
    /// `typ` of an access token (RFC 9068 section 2.1).
    static let type = "at+jwt"

    enum Judgement {
        /// Another issuer's.
        case foreign
        /// No JWT that could be judged.
        case unreadable
        /// It names us as its issuer and is no access token of ours that is good.
        case refused(Reason)
        case valid(keyID: String, session: String, subject: String, expiresAt: Timestamp)
    }

    /// Whatever has our `iss` is ours to judge: an assertion or an ID token of ours, or one for another audience, is
    /// refused, so that an app cannot play back what it was given.
    static func judge(
        _ bytes: Span<UInt8>, _ note: CredentialNote? = nil, publicURL: String, keys: [JWK]
    ) -> Judgement {
        let token: UnverifiedToken
        do {
            token = try UnverifiedToken.parsing(bytes, note)
        } catch {
            return .unreadable
        }
        guard token.claims.value("iss")?.equals(publicURL) == true else { return .foreign }
        guard token.hasType(type), let verified = try? token.verify(with: keys, allowed: [.es256]),
            verified.claims.audiences == [publicURL], let keyID = token.keyID, let session = verified.claims.tokenID,
            let subject = verified.claims.subject, let expiresAt = verified.claims.expiresAt
        else { return .refused(.credentialUnknown) }
        return .valid(keyID: keyID, session: session, subject: subject, expiresAt: expiresAt)
    }
}
