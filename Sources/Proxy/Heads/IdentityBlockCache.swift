import Core
import Policy

/// The rendered identity headers of identities on routes, two generations of bounded size: what was not asked for
/// while a whole generation filled up is forgotten.
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

    private let generationSize: Int
    private var young: [Key: Entry] = [:]
    private var old: [Key: Entry] = [:]

    init(generationSize: Int = 4096) {
        self.generationSize = generationSize
    }

    /// The header lines for `permit`'s identity on its route.
    ///
    /// - Throws: when the assertion cannot be signed or a value is not fit for a header; the request is then refused.
    mutating func block(
        for identity: Identity?, on route: Route, signer: (any AssertionSigner)?, at now: Timestamp
    ) throws -> [UInt8] {
        guard let identity else { return route.anonymousHeaders }
        let key = Key(identity: ObjectIdentifier(identity), route: route.index)
        if let entry = young[key], entry.goodUntil > now, entry.identity === identity { return entry.block }
        if let entry = old[key], entry.goodUntil > now, entry.identity === identity {
            insert(entry, for: key)
            return entry.block
        }
        var assertion: [UInt8]?
        if route.assertion, let signer {
            let shown = IdentityHeaders.shownGroups(of: identity, on: route)
            assertion = try signer.assertion(
                for: identity, audience: route.audience, groups: shown.groups, groupsTruncated: shown.truncated, at: now
            )
        }
        let block = try IdentityHeaders.render(identity, for: route, assertion: assertion)
        insert(Entry(identity: identity, block: block, goodUntil: now + Self.lifetime), for: key)
        return block
    }

    private mutating func insert(_ entry: Entry, for key: Key) {
        if young.count >= generationSize {
            old = young
            young = [:]
        }
        young[key] = entry
    }
}
