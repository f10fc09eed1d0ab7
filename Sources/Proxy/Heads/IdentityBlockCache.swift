import Core
import Policy

/// The rendered identity headers of identities on routes, as many as a loop remembers identities.
struct IdentityBlockCache {
    private struct Key: Hashable {
        let identity: ObjectIdentifier
        let route: Int
    }

    private struct Entry {
        /// Held so that the key stays this object's.
        let identity: Identity
        let block: [UInt8]
        let goodUntil: Timestamp
    }

    /// How long a block is used before the signer is asked again: its assertions are good for at least a minute when
    /// it hands them out.
    static let lifetime = Duration.seconds(15)

    private var entries: ClockCache<Key, Entry>

    init(capacity: Int) {
        entries = ClockCache(capacity: capacity)
    }

    /// The header lines for `permit`'s identity on its route.
    ///
    /// - Throws: when the assertion cannot be signed or a value is not fit for a header; the request is then refused.
    mutating func block(
        for identity: Identity?, on route: Route, signer: (any AssertionSigner)?, at now: Timestamp
    ) throws -> [UInt8] {
        guard let identity else { return route.anonymousHeaders }
        let key = Key(identity: ObjectIdentifier(identity), route: route.index)
        if let place = entries.find(key), entries[place].goodUntil > now, entries[place].identity === identity {
            return entries[place].block
        }
        var assertion: [UInt8]?
        if route.assertion, let signer {
            let shown = IdentityHeaders.shownGroups(of: identity, on: route)
            assertion = try signer.assertion(
                for: identity, audience: route.audience, groups: shown.groups, groupsTruncated: shown.truncated, at: now
            )
        }
        let block = try IdentityHeaders.render(identity, for: route, assertion: assertion)
        entries.insert(Entry(identity: identity, block: block, goodUntil: now + Self.lifetime), for: key)
        return block
    }
}
