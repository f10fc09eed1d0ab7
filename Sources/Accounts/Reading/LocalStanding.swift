public import Core
internal import LMDB

/// What the local accounts say of foreign identities: blocked, a local account, or one to go on with. One an event
/// loop; not Sendable, never waits.
public final class LocalStanding: ForeignStanding {
    private struct Key: Hashable {
        let issuerID: String
        let credentialID: String
    }

    private var reading: LoopReading<Key>
    private var known: ClockCache<Key, ForeignIdentity>

    /// - Parameter cacheEntries: how many identities are remembered; 0: none.
    /// - Throws: `store` when all reader places are taken.
    public init(store: Store, cacheEntries: Int = 16_384) throws(AccountsError) {
        reading = try LoopReading(store, capacity: cacheEntries)
        known = ClockCache(capacity: cacheEntries)
    }

    /// How often records were decoded (for tests and metrics).
    public var decodes: Int { reading.decodes }

    /// Forgets everything, as after a reload.
    public func invalidate() {
        reading.removeAll()
        known.removeAll()
    }

    public func standing(of foreign: ForeignIdentity, at now: Timestamp) -> CredentialReading {
        do {
            let key = Key(issuerID: foreign.issuerID, credentialID: foreign.credentialID)
            // A `jti` is the issuer's choice: another token under the same one must not get this one's identity.
            if let place = known.find(key) {
                if known[place] != foreign {
                    reading.remove(key)
                    known[place] = foreign
                }
            } else {
                reading.remove(key)
                known.insert(foreign, for: key)
            }
            let outcome = try reading.finding(for: key) { transaction in
                try Findings.foreign(foreign, in: transaction)
            }
            return outcome?.reading(at: now) ?? .refused(CredentialRefusal(.credentialUnknown))
        } catch {
            return .refused(CredentialRefusal(.storeUnavailable))
        }
    }
}
