public import Core
internal import Cryptography
internal import LMDB

/// A request that was refused, as it is kept for a day: what `explain --request` and the page of a refusal tell.
public struct KeptRefusal: Codable, Sendable, Equatable {
    /// The request's id; a client may have chosen it.
    public var requestID: String
    /// When.
    public var at: Timestamp
    /// `deny`, `sign_in` or `step_up`.
    public var verdict: String
    /// Why; empty for a request that could not be read, where the list of reasons has no word.
    public var reason: String
    /// The route's name; nil when none matched.
    public var route: String?
    /// The rule that decided, by its place in the route.
    public var rule: Int?
    /// What was asked for, without the query.
    public var method: String
    public var host: String
    public var path: String
    /// The user name, as far as it was known.
    public var user: String?
    /// The user's id, as far as it was known.
    public var subject: String?
    /// The credential's id, as far as it was known.
    public var credential: String?
    /// The client's address.
    public var address: String?
    /// `inline`, `check` or `portal`.
    public var shape: String
    /// What rules in the shadow would have decided, where it is something else; nil: none would have.
    public var shadow: [ShadowVerdict]?

    private enum CodingKeys: String, CodingKey {
        case at, verdict, reason, route, rule, method, host, path, user, subject, credential, address, shape, shadow
        case requestID = "request_id"
    }

    /// Nil where nothing is known of what was asked for.
    init?(_ denial: Denial) {
        guard let asked = denial.asked, !denial.requestID.isEmpty else { return nil }
        requestID = denial.requestID
        at = denial.at
        verdict = asked.verdict
        reason = denial.reason?.rawValue ?? ""
        route = denial.route
        rule = asked.rule
        method = asked.method
        host = asked.host
        path = asked.path
        user = denial.user
        subject = denial.subject
        credential = denial.credentialID
        address = denial.address?.description
        shape = asked.shape
        shadow = asked.shadow.isEmpty ? nil : asked.shadow
    }

    /// Whose share of the writes it takes.
    var who: String { DenialGroups.who(subject, user, address.flatMap { IPAddress($0) }) }
    /// Nobody is known to have been refused.
    var isStrangers: Bool { subject == nil && user == nil }
}

/// The row.
struct RefusalRecord: JSONRecord {
    var refusal: KeptRefusal

    init(_ refusal: KeptRefusal) {
        self.refusal = refusal
    }

    init(from decoder: any Decoder) throws {
        refusal = try KeptRefusal(from: decoder)
    }

    func encode(to encoder: any Encoder) throws {
        try refusal.encode(to: encoder)
    }
}

extension Store {
    /// So many refusals are kept.
    static let maximumRefusals = 10_000
    /// For so long.
    static let refusalLifetime: Duration = .seconds(86_400)
    /// The most that are told of one id: a client chooses its ids, and may choose the same ones again.
    private static let maximumOfOneID = 16

    /// What is kept of a request, the newest first: more than one where a client has used an id again.
    public func refusals(of requestID: String) throws(AccountsError) -> [KeptRefusal] {
        let oldest = clock.now() - Self.refusalLifetime
        return try read { transaction in
            let prefix = KeyPair<[UInt8], UInt64>.prefix(Self.digest(of: requestID))
            let keys = try Tables.refusalsByID.keys(
                prefix: prefix, reversed: true, limit: Self.maximumOfOneID, in: transaction)
            return try keys.compactMap { key in
                guard let refusal = try Tables.refusals.get(key.second, in: transaction)?.refusal,
                    refusal.requestID == requestID, refusal.at > oldest
                else { return nil }
                return refusal
            }
        }
    }

    /// The newest of a request that was this person's, whoever else has used its id, and however often: rows of
    /// somebody have a place of their own.
    func refusal(of requestID: String, subject: String) throws(AccountsError) -> KeptRefusal? {
        let oldest = clock.now() - Self.refusalLifetime
        return try read { transaction in
            let prefix = KeyPair<[UInt8], UInt64>.prefix(Self.digest(of: requestID, subject: subject))
            let keys = try Tables.refusalsByID.keys(
                prefix: prefix, reversed: true, limit: Self.maximumOfOneID, in: transaction)
            for key in keys {
                guard let refusal = try Tables.refusals.get(key.second, in: transaction)?.refusal,
                    refusal.requestID == requestID, refusal.subject == subject, refusal.at > oldest
                else { continue }
                return refusal
            }
            return nil
        }
    }

    /// Whose the rows are, at the server's start.
    func refusalShares() throws(AccountsError) -> RefusalShares {
        try read { transaction in
            var shares = RefusalShares()
            try Tables.refusals.forEach(in: transaction) { sequence, record, _ in
                // Rows beyond a bound, of an older version, stay until they are the oldest of all.
                _ = shares.add(record.refusal, sequence)
                return true
            }
            return shares
        }
    }

    /// Writes refusals behind those that are there, and lets go of the oldest ones.
    ///
    /// - Returns: whose the rows are now.
    func keepRefusals(
        _ refusals: ArraySlice<KeptRefusal>, _ shares: RefusalShares
    ) throws(AccountsError) -> RefusalShares {
        try write { transaction in
            var shares = shares
            var sequence = try Tables.refusals.last(in: transaction)?.0 ?? 0
            for refusal in refusals {
                sequence += 1
                try Tables.refusals.append(RefusalRecord(refusal), for: sequence, in: transaction)
                for digest in Self.digests(of: refusal) {
                    try Tables.refusalsByID.put(EmptyRecord(), for: KeyPair(digest, sequence), in: transaction)
                }
                for old in shares.add(refusal, sequence) {
                    guard let gone = try Tables.refusals.get(old, in: transaction)?.refusal else { continue }
                    try self.removeRefusal(old, Self.digests(of: gone), in: transaction)
                }
            }
            let excess = try Tables.refusals.count(in: transaction) - Self.maximumRefusals
            if excess > 0 {
                try self.removeRefusals(atMost: excess, in: transaction) { refusal, sequence in
                    shares.remove(refusal, sequence)
                    return true
                }
            }
            return shares
        }
    }

    /// Frees what is older than a day.
    ///
    /// - Returns: how many rows, at most 1,000: call again until it is 0.
    public func sweepRefusals() throws(AccountsError) -> Int {
        let oldest = clock.now() - Self.refusalLifetime
        let isDue = try read { try Tables.refusals.first(in: $0).map { $0.1.refusal.at <= oldest } ?? false }
        guard isDue else { return 0 }
        return try write { transaction in
            try self.removeRefusals(atMost: Self.batchSize, in: transaction) { refusal, _ in refusal.at <= oldest }
        }
    }

    /// From the oldest on, as long as `isOver` says so.
    @discardableResult
    private func removeRefusals(
        atMost limit: Int, in transaction: borrowing WriteTransaction, _ isOver: (KeptRefusal, UInt64) -> Bool
    ) throws -> Int {
        var gone: [(UInt64, [[UInt8]])] = []
        try Tables.refusals.forEach(in: transaction) { sequence, record, _ in
            guard isOver(record.refusal, sequence) else { return false }
            gone.append((sequence, Self.digests(of: record.refusal)))
            return gone.count < limit
        }
        for (sequence, digests) in gone { try removeRefusal(sequence, digests, in: transaction) }
        return gone.count
    }

    private func removeRefusal(
        _ sequence: UInt64, _ digests: [[UInt8]], in transaction: borrowing WriteTransaction
    ) throws {
        try Tables.refusals.delete(sequence, in: transaction)
        for digest in digests { try Tables.refusalsByID.delete(KeyPair(digest, sequence), in: transaction) }
    }

    /// Where a row is found: by its request's id, and by that of its person.
    private static func digests(of refusal: KeptRefusal) -> [[UInt8]] {
        let id = refusal.requestID
        return [digest(of: id)] + (refusal.subject.map { [digest(of: id, subject: $0)] } ?? [])
    }

    private static func digest(of requestID: String) -> [UInt8] { Array(SHA256.digest(requestID).bytes.prefix(16)) }

    /// No request's id has a line feed, so no id stands for somebody's.
    private static func digest(of requestID: String, subject: String) -> [UInt8] {
        digest(of: "\(requestID)\n\(subject)")
    }
}
