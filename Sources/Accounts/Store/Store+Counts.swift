internal import LMDB

/// How much there is, for `store info` and metrics.
public struct StoreCounts: Encodable, Sendable, Equatable {
    public let users: Int
    /// Expired ones that were not swept yet included.
    public let sessions: Int
    /// Expired and revoked ones that were not swept yet included.
    public let apiKeys: Int
    public let blocks: Int
    public let auditEvents: Int

    private enum CodingKeys: String, CodingKey {
        case users, sessions, blocks
        case apiKeys = "api_keys"
        case auditEvents = "audit_events"
    }
}

extension Store {
    /// Counts rows without reading them.
    public func counts() throws(AccountsError) -> StoreCounts {
        try read { transaction in
            StoreCounts(
                users: try Tables.users.count(in: transaction), sessions: try Tables.sessions.count(in: transaction),
                apiKeys: try Tables.apiKeys.count(in: transaction), blocks: try Tables.blocks.count(in: transaction),
                auditEvents: try Tables.audit.count(in: transaction))
        }
    }
}
