public import Core
internal import JOSE
internal import LMDB

/// Signs assertions with the current key of the store. One an event loop; not Sendable.
///
/// A signature costs some 30 µs, so each is kept: for the same identity object, audience and groups the same assertion
/// is given out for four of its five minutes.
public final class StoredAssertionSigner: AssertionSigner {
    private struct Key: Hashable {
        let identity: ObjectIdentifier
        let audience: String
    }

    private struct Entry {
        /// Keeps the identity alive, so that no other object gets its address.
        let identity: Identity
        let groups: [String]
        let groupsTruncated: Bool
        let token: [UInt8]
        let goodUntil: Timestamp
        let signedAt: Timestamp
        let keyRevision: UInt64?
    }

    private static let renewal = Duration.seconds(240)
    private static let shortest = Duration.seconds(30)

    private let store: Store
    private let reading: LoopReading<Int>
    private var keys = SigningKeyRing(.assertion)
    private var cache: ClockCache<Key, [Entry]>
    /// How often something was signed (for tests and metrics).
    public private(set) var signatures = 0

    /// - Parameter cacheEntries: how many pairs of identity and audience are remembered; 0: none.
    /// - Throws: `noMasterKey`, `store`.
    public init(store: Store, cacheEntries: Int = 16_384) throws(AccountsError) {
        _ = try store.masterKeys()
        self.store = store
        reading = try LoopReading(store, capacity: 0)
        cache = ClockCache(capacity: cacheEntries)
    }

    /// Forgets everything, as after a reload.
    public func invalidate() {
        cache.removeAll()
    }

    public func assertion(
        for identity: Identity, audience: String, groups: [String], groupsTruncated: Bool, at now: Timestamp
    ) throws -> [UInt8] {
        try keys.refresh(store, reading)
        let key = Key(identity: ObjectIdentifier(identity), audience: audience)
        let place = cache.find(key)
        if let place {
            for entry in cache[place]
            where entry.groupsTruncated == groupsTruncated && entry.groups == groups
                && entry.signedAt <= now && now < entry.goodUntil && entry.keyRevision == keys.revision
            {
                return entry.token
            }
        }
        let made = try sign(identity, audience: audience, groups: groups, groupsTruncated: groupsTruncated, at: now)
        if let place {
            // Routes may share an audience and show it different groups; more than a few variants are not kept.
            let kept = cache[place].filter {
                now < $0.goodUntil && $0.groups != groups && $0.keyRevision == keys.revision
            }
            cache[place] = kept.suffix(3) + [made]
        } else {
            cache.insert([made], for: key)
        }
        return made.token
    }

    private func sign(
        _ identity: Identity, audience: String, groups: [String], groupsTruncated: Bool, at now: Timestamp
    ) throws -> Entry {
        let signer = try keys.signer(store, at: now)
        var end = now + SigningSchedule.assertionLifetime
        // A credential that is about to end still needs an assertion that its app can take.
        if let ends = identity.expiresAt { end = min(end, max(ends, now + Self.shortest)) }
        var payload = JSONWriter(capacity: 512)
        payload.member("iss", store.configuration.publicURL)
        payload.member("aud", audience)
        payload.member("sub", identity.subject)
        payload.member("user", identity.user)
        payload.member("email", identity.email)
        payload.member("groups", groups)
        if groupsTruncated { payload.member("groups_truncated", true) }
        payload.member("amr", identity.amr)
        if identity.factors > 0 { payload.member("acr", AuthenticationContext.of(factors: identity.factors)) }
        if let time = identity.authenticatedAt { payload.member("auth_time", time.seconds) }
        payload.member("sid", identity.session)
        payload.member("iat", now.seconds)
        payload.member("exp", end.seconds)
        signatures += 1
        let token = try signer.sign(payload.finish(), type: "gatehouse-assertion+jwt")
        return Entry(
            identity: identity, groups: groups, groupsTruncated: groupsTruncated, token: token,
            goodUntil: min(now + Self.renewal, end), signedAt: now, keyRevision: keys.revision)
    }
}
