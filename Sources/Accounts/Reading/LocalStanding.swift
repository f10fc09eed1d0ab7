public import Core
internal import LMDB

/// What the local accounts say of foreign identities: blocked, a local account, or one to go on with. One an event
/// loop; not Sendable, never waits.
public final class LocalStanding: ForeignStanding {
    private var reading: LoopReading<ObjectIdentifier>
    /// Held, so that the key of a finding stays this object's.
    private var known: ClockCache<ObjectIdentifier, ForeignIdentity>

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
            let key = ObjectIdentifier(foreign)
            if known.find(key) == nil {
                // The address may have been another's, whose finding is still there.
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
