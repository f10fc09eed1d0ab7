public import Core
internal import LMDB
public import Logging

/// Reads the tokens of sessions from the store. One an event loop; not Sendable, never waits.
///
/// What was opened is kept while its row is unchanged, so that a session which has ended has none from the next request
/// on; expiry is compared at each use.
public final class StoredProviderTokens: ProviderTokenReader {
    private struct Entry {
        /// Nil: the session has none.
        var record: ProviderTokensRecord?
        var access: SecretBytes?
        var revision: UInt64?
        /// The last transaction under which it is known to hold.
        var transactionID: UInt64
    }

    private let store: Store
    private let reader: Reader
    private let refresher: ProviderTokenRefresher
    private let log: Logger
    private var cache: ClockCache<String, Entry>

    /// - Parameters:
    ///   - refresher: the process's.
    ///   - cacheEntries: of how many sessions the tokens are kept in memory.
    /// - Throws: `store` when all reader places are taken.
    public init(
        store: Store, refresher: ProviderTokenRefresher, log: Logger, cacheEntries: Int = 1024
    ) throws(AccountsError) {
        self.store = store
        self.refresher = refresher
        self.log = log
        cache = ClockCache(capacity: cacheEntries)
        do {
            reader = try store.environment.makeReader()
        } catch {
            throw .wrapping(error)
        }
    }

    public func token(
        of identity: Identity, from providers: [TokenProvider], mayWait: Bool, at now: Timestamp
    ) -> ProviderTokenReading {
        guard identity.kind == .session, let session = identity.session, let entry = entry(for: session),
            let record = entry.record, record.userID == identity.subject,
            providers.contains(record.by)
        else { return .none }
        let state = record.schedule.state(at: now)
        // Nobody waits for a better one while there is a good one.
        if state != .fresh, mayWait, record.isRefreshable,
            let pending = refresher.refresh(session, by: record.by, at: now), state == .over
        {
            return .pending(pending)
        }
        guard state != .over, let access = entry.access else { return .none }
        return .token(access.withUnsafeBytes { Array($0) })
    }

    private func entry(for session: String) -> Entry? {
        do {
            if let place = cache.find(session) {
                if cache[place].transactionID == reader.lastTransactionID { return cache[place] }
                let known = cache[place].revision
                let (isSame, transaction) = try reader.read { transaction in
                    (
                        try Tables.providerTokens.revision(of: session, in: transaction) == known,
                        transaction.transactionID
                    )
                }
                if isSame {
                    cache[place].transactionID = transaction
                    return cache[place]
                }
            }
            let entry = try load(session)
            cache.insert(entry, for: session)
            return entry
        } catch {
            log.error(
                "the provider's tokens of a session cannot be read",
                metadata: ["session": "\(session)", "error": "\(error)"])
            return nil
        }
    }

    private func load(_ session: String) throws -> Entry {
        var (found, entry): ((record: ProviderTokensRecord, revision: UInt64)?, Entry) = try reader.read {
            transaction in
            (
                try Tables.providerTokens.getWithRevision(session, in: transaction),
                Entry(transactionID: transaction.transactionID)
            )
        }
        guard let found else { return entry }
        entry.revision = found.revision
        entry.record = found.record
        do {
            entry.access = try store.open(found.record, session: session).access
        } catch {
            // Said once, and not for every request.
            entry.record = nil
            log.error(
                "the provider's tokens of a session cannot be opened",
                metadata: ["session": "\(session)", "error": "\(error)"])
        }
        return entry
    }
}
