internal import Core
internal import LMDB

/// A row that a cached answer was made from. The answer holds while the row's revision is the same; a row that was not
/// there must still not be there.
struct Dependency {
    enum Row {
        case apiKey([UInt8])
        case session(String)
        case sessionSecret([UInt8])
        case user(String)
        case userByEmail(String)
        case userByName(String)
        case block([UInt8])
        case signingKeys
    }

    let row: Row
    let revision: UInt64?

    /// Reads the header of the row only.
    func holds(in transaction: borrowing ReadTransaction) throws -> Bool {
        try Self.revision(of: row, in: transaction) == revision
    }

    static func revision(of row: Row, in transaction: borrowing ReadTransaction) throws -> UInt64? {
        switch row {
        case .apiKey(let digest): try Tables.apiKeys.revision(of: digest, in: transaction)
        case .session(let id): try Tables.sessions.revision(of: id, in: transaction)
        case .sessionSecret(let digest): try Tables.sessionSecrets.revision(of: digest, in: transaction)
        case .user(let id): try Tables.users.revision(of: id, in: transaction)
        case .userByEmail(let email): try Tables.usersByEmail.revision(of: email, in: transaction)
        case .userByName(let name): try Tables.usersByName.revision(of: name, in: transaction)
        case .block(let key): try Tables.blocks.revision(of: key, in: transaction)
        case .signingKeys: try Tables.meta.revision(of: MetaRecord.signingKeys, in: transaction)
        }
    }
}

/// What was found out about a credential, whatever the time: expiry is compared at each use.
enum Outcome {
    case identity(Identity)
    /// By a cookie; the activity says whether it has not been used for too long.
    case session(Identity, SessionActivity)
    case refused(CredentialRefusal)
    case notMine

    func reading(at now: Timestamp) -> CredentialReading {
        switch self {
        case .identity(let identity), .session(let identity, _):
            if let end = identity.expiresAt, end <= now {
                return .refused(
                    CredentialRefusal(
                        .credentialExpired, user: identity.user, subject: identity.subject,
                        credentialID: identity.credentialID))
            }
            return .identity(identity)
        case .refused(let refusal): return .refused(refusal)
        case .notMine: return .notMine
        }
    }
}

/// When a session was last used, as far as one loop knows: its own requests, and what was written when it last looked.
/// Belongs to that loop's cache, so that a request which finds the session in use reads and writes nothing.
final class SessionActivity {
    let idle: Duration
    /// Until then it is in use.
    var inUseUntil: Timestamp

    init(idle: Duration, inUseUntil: Timestamp) {
        self.idle = idle
        self.inUseUntil = inUseUntil
    }
}

/// An outcome with the rows that it was made from.
struct Finding {
    var outcome: Outcome
    var dependencies: [Dependency]
    /// The last transaction under which the dependencies are known to hold.
    var transactionID: UInt64

    init(_ outcome: Outcome, _ dependencies: [Dependency], in transaction: borrowing ReadTransaction) {
        self.outcome = outcome
        self.dependencies = dependencies
        transactionID = transaction.transactionID
    }

    /// From now on nothing makes it hold.
    mutating func invalidate() {
        dependencies = [Dependency(row: .signingKeys, revision: .max)]
        transactionID = .max
    }

    /// Looks at the rows' headers.
    func holds(in transaction: borrowing ReadTransaction) throws -> Bool {
        for dependency in dependencies where try !dependency.holds(in: transaction) { return false }
        return true
    }
}
