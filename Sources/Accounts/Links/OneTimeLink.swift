internal import Core
internal import LMDB

/// What a link that was mailed is for.
public enum LinkPurpose: String, Sendable, Codable, CaseIterable {
    /// Makes the account that somebody asked for; belongs to the address, since there is no account yet.
    case registration
    /// Shows that a user reads their address.
    case verifyEmail = "verify-email"
    /// Shows that a user reads the address that they want to have.
    case changeEmail = "change-email"
    /// Signs in.
    case magicLink = "magic-link"
    /// Sets a password.
    case resetPassword = "reset-password"
    /// Sets the first password of an account that the operator made.
    case invitation
    /// Lifts a lock.
    case unlock
    /// Lets the owner of a password set up a second factor after the operator has taken the old ones away.
    case enrolFactor = "enrol-factor"

    /// The page below `/.auth/` that acts on it.
    var page: String {
        switch self {
        case .registration, .verifyEmail, .changeEmail: "verify-email"
        case .magicLink: "magic-link"
        case .resetPassword, .invitation: "reset-password"
        case .unlock: "unlock"
        case .enrolFactor: "enrol-factor"
        }
    }
}

/// By which way somebody asked for a link.
enum LinkOrigin: String, Sendable, Codable {
    /// A page, in a browser.
    case page
    /// The JSON API.
    case api
    /// The address was registered.
    case registration
}

/// A link as it is stored, under the SHA-256 of its token. It is gone when it is used, and refused when its time is
/// over, whether the sweeper has been by or not.
struct LinkRecord: JSONRecord, Equatable {
    var purpose: LinkPurpose
    /// For a registration ``Store/registrant(_:)``.
    var userID: String
    /// The user's epoch when it was made.
    var epoch: UInt64
    /// The address that it was sent to, canonical; for a registration and a change of address as it was typed.
    var email: String
    var createdAt: Timestamp
    var expiresAt: Timestamp
    /// Of a sign-in and an invitation; nil: the operator made it.
    var origin: LinkOrigin?
    /// SHA-256 of what the browser that asked for it holds, in hexadecimal; nil: any may use it.
    var browser: String?
    /// Of a sign-in: where it goes on. Held against the list of such addresses once more when it is used.
    var returnTo: String?
    /// Of a change of address: the session that asked for it.
    var session: String?
    /// Of a registration: what was chosen with it. Nobody's password until the mail was followed.
    var passwordHash: String?
    var name: String?
    var language: MailLanguage?
    /// Of an enrolment: the operator hands it over on another way than by mail.
    var isHandedOver: Bool?
}

extension Store {
    /// Stores a link.
    func insert(_ record: LinkRecord, digest: [UInt8], in transaction: borrowing WriteTransaction) throws {
        guard try Tables.oneTimeLinks.insert(record, for: digest, in: transaction) else {
            throw AccountsError(.store, "The random generator gave the same secret twice.")
        }
        try Tables.linksByUser.put(EmptyRecord(), for: KeyPair(record.userID, digest), in: transaction)
        try scheduleSweep(.link(Hexadecimal.encode(digest)), at: record.expiresAt, in: transaction)
    }

    func removeLink(_ record: LinkRecord, digest: [UInt8], in transaction: borrowing WriteTransaction) throws {
        try Tables.oneTimeLinks.delete(digest, in: transaction)
        try Tables.linksByUser.delete(KeyPair(record.userID, digest), in: transaction)
    }

    /// Removes a user's links.
    ///
    /// - Parameters:
    ///   - purposes: nil: of all kinds.
    ///   - limit: at most so many.
    /// - Returns: how many that were still good.
    @discardableResult
    func removeLinks(
        of userID: String, purposes: Set<LinkPurpose>? = nil, limit: Int = .max, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> Int {
        var removed = 0
        let prefix = KeyPair<String, [UInt8]>.prefix(userID)
        for key in try Tables.linksByUser.keys(prefix: prefix, limit: limit, in: transaction) {
            guard let record = try Tables.oneTimeLinks.get(key.second, in: transaction) else {
                try Tables.linksByUser.delete(key, in: transaction)
                continue
            }
            guard purposes?.contains(record.purpose) ?? true else { continue }
            try removeLink(record, digest: key.second, in: transaction)
            if record.expiresAt > now { removed += 1 }
        }
        return removed
    }

    /// Removes the oldest links of a kind, so that at most `count` are left.
    func keepNewest(
        _ count: Int, of userID: String, in transaction: borrowing WriteTransaction,
        where isOfKind: (LinkRecord) -> Bool
    ) throws {
        var links: [(digest: [UInt8], record: LinkRecord)] = []
        for key in try Tables.linksByUser.keys(prefix: KeyPair<String, [UInt8]>.prefix(userID), in: transaction) {
            guard let record = try Tables.oneTimeLinks.get(key.second, in: transaction), isOfKind(record)
            else { continue }
            links.append((key.second, record))
        }
        links.sort { $0.record.createdAt > $1.record.createdAt }
        for link in links.dropFirst(count) { try removeLink(link.record, digest: link.digest, in: transaction) }
    }

    /// The address of a page that acts on a link.
    func url(of purpose: LinkPurpose, token: String) -> String {
        "\(configuration.publicURL)/.auth/\(purpose.page)/\(token)"
    }

    /// A link that can still be used, with its account.
    ///
    /// - Throws: `invalidToken`: never made, used, over, made for something else, or of an account that is stale,
    ///   disabled or blocked.
    func usableLink(
        _ digest: [UInt8], for purposes: Set<LinkPurpose>, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (link: LinkRecord, user: UserRecord) {
        guard let link = try Tables.oneTimeLinks.get(digest, in: transaction), purposes.contains(link.purpose),
            link.expiresAt > now, let user = try Tables.users.get(link.userID, in: transaction),
            user.epoch == link.epoch, try !isShutOut(user, in: transaction)
        else { throw AccountsError.invalidLink }
        return (link, user)
    }
}
