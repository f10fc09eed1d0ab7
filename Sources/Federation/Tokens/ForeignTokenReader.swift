public import Core
internal import JOSE

/// What a token was verified with.
private final class VerifiedBy: Sendable {
    let issuer: IssuerKeys
    let key: JWK

    init(issuer: IssuerKeys, key: JWK) {
        self.issuer = issuer
        self.key = key
    }
}

/// Judges JWTs of the configured issuers. One instance an event loop, synchronous: a key that is not known yet makes
/// the reading pending.
///
/// What was verified is kept under the token's digest until the token ends, the configuration is replaced (which makes
/// new readers), or its key leaves the issuer's set. What the local accounts say is asked anew in each call.
public final class ForeignTokenReader: CredentialReader {
    private struct Entry {
        let identity: ForeignIdentity
        let issuer: Int
        let key: JWK
        /// The generation of the key set in which `key` was last seen.
        var generation: UInt64
    }

    /// How much the issuer's clock may differ from ours, to the token's advantage.
    static let leeway: Duration = .seconds(60)

    private let issuers: [IssuerKeys]
    private let standing: any ForeignStanding
    private let hasher = TokenHasher()
    private var verified: ClockCache<TokenDigest, Entry>

    /// - Parameters:
    ///   - standing: this loop's.
    ///   - cacheEntries: how many tokens are remembered; 0 verifies in every call.
    public init(issuers: Issuers, standing: any ForeignStanding, cacheEntries: Int = 16_384) {
        self.issuers = issuers.all
        self.standing = standing
        verified = ClockCache(capacity: cacheEntries)
    }

    /// Answers `notMine` for everything that is no JWT of a configured issuer in `Authorization: Bearer`. What cannot
    /// be read as a JWT is one of an issuer's all the same, and refused, if an app could read it so.
    public func read(_ credential: borrowing PresentedCredential, at now: Timestamp) -> CredentialReading {
        guard credential.source == .bearer, !issuers.isEmpty else { return .notMine }
        let digest = hasher.digest(of: credential.bytes, credential.note)
        if let identity = remembered(digest) { return judge(identity, at: now) }
        let token: UnverifiedToken
        do throws(JOSEError) {
            token = try UnverifiedToken.parsing(credential.bytes, credential.note)
        } catch {
            return saysAnIssuer(credential.bytes) ? .refused(.init(.credentialUnknown)) : .notMine
        }
        guard let position = position(of: token) else { return .notMine }
        return verify(token, digest, issuer: position, at: now)
    }

    private func saysAnIssuer(_ bytes: Span<UInt8>) -> Bool {
        LooseToken.names(bytes) { named in
            issuers.contains { $0.configuration.issuer.utf8.elementsEqual(named) }
        }
    }

    private func position(of token: UnverifiedToken) -> Int? {
        guard let issuer = token.claims.value("iss") else { return nil }
        return issuers.firstIndex { issuer.equals($0.configuration.issuer) }
    }

    private func remembered(_ digest: TokenDigest) -> ForeignIdentity? {
        guard let place = verified.find(digest) else { return nil }
        let issuer = issuers[verified[place].issuer]
        if verified[place].generation != issuer.generation {
            let current = issuer.current
            guard let keys = current.keys, keys.contains(verified[place].key) else {
                verified.remove(digest)
                return nil
            }
            verified[place].generation = current.generation
        }
        return verified[place].identity
    }

    private func verify(
        _ token: UnverifiedToken, _ digest: TokenDigest, issuer position: Int, at now: Timestamp
    ) -> CredentialReading {
        let issuer = issuers[position]
        let current = issuer.current
        guard let keys = current.keys else {
            return issuer.refetchForUnknownKey(at: now).map { .pending($0) } ?? .refused(.init(.credentialUnknown))
        }
        do throws(JOSEError) {
            let proof = try token.verify(with: keys, allowed: issuer.configuration.algorithms)
            try proof.claims.validate(
                now: now, issuer: issuer.configuration.issuer, audiences: issuer.configuration.audiences,
                leeway: Self.leeway)
            guard
                let identity = ClaimReader(issuer.configuration, leeway: Self.leeway).identity(
                    proof.claims, digest: digest, evidence: VerifiedBy(issuer: issuer, key: proof.key))
            else {
                return .refused(.init(.credentialUnknown))
            }
            verified.insert(
                Entry(identity: identity, issuer: position, key: proof.key, generation: current.generation),
                for: digest)
            return judge(identity, at: now)
        } catch {
            if error.code == .noKey, let pending = issuer.refetchForUnknownKey(at: now) { return .pending(pending) }
            return .refused(.init(error.code == .expired ? .credentialExpired : .credentialUnknown))
        }
    }

    public func recheck(_ identity: Identity, at now: Timestamp) -> CredentialReading {
        guard case .foreign(let foreign)? = identity.origin, let proof = foreign.evidence as? VerifiedBy
        else { return .notMine }
        let refused = CredentialReading.refused(
            .init(
                .credentialUnknown, user: identity.user, subject: identity.subject, credentialID: foreign.credentialID))
        // Another configuration would have read the token in another way, if at all.
        guard
            let issuer = issuers.first(where: { $0 === proof.issuer })
                ?? issuers.first(where: { $0.configuration.reads(like: proof.issuer.configuration) })
        else { return refused }
        // A set that was never fetched since the configuration was read again says nothing against the key.
        guard let keys = issuer.current.keys ?? proof.issuer.current.keys, keys.contains(proof.key) else {
            return refused
        }
        return judge(foreign, at: now)
    }

    private func judge(_ identity: ForeignIdentity, at now: Timestamp) -> CredentialReading {
        guard now < identity.expiresAt else {
            return .refused(.init(.credentialExpired, user: identity.user, credentialID: identity.credentialID))
        }
        return standing.standing(of: identity, at: now)
    }
}
