internal import Core
internal import LMDB

/// What the operator has taken away from an account (`user unlink`).
public struct RemovedLink: Encodable, Sendable {
    public let user: User
    public let link: SocialAccount
    /// The sessions that began by it, and have ended.
    public let sessions: [String]
}

extension Store {
    /// The identities at providers that sign in to an account, newest first (`user links`).
    ///
    /// - Throws: `notFound`.
    public func socialAccounts(of selector: String) throws(AccountsError) -> [SocialAccount] {
        try read { transaction in
            let user = try self.require(user: selector, in: transaction)
            return try self.socialAccounts(of: user.id, in: transaction).reversed().map(SocialAccount.init)
        }
    }

    /// Removes a link of an account's, also its last way in; the sessions that began by it end (`user unlink`).
    ///
    /// - Parameters:
    ///   - id: the link's.
    ///   - reason: for the audit log.
    /// - Throws: `notFound`, also for a link of somebody else's.
    public func unlink(
        _ id: String, of selector: String, reason: String? = nil, by actor: AuditActor
    ) throws(AccountsError) -> RemovedLink {
        var note: String?
        if let reason { note = try validatedLabel(reason, what: "reason", maximumBytes: 254) }
        let reason = note
        let now = clock.now()
        return try write { transaction in
            var user = try self.require(user: selector, in: transaction)
            let links = try self.socialAccounts(of: user.id, in: transaction)
            guard let link = links.first(where: { $0.id == id }) else {
                throw AccountsError(
                    .notFound, "\(user.username) has no such link: `gatehouse user links` shows those there are.")
            }
            try self.unlink(link, from: &user, in: transaction)
            try Tables.users.put(user, for: user.id, in: transaction)
            let ended = try self.endSessions(of: user, by: { $0.link == link.id }, at: now, in: transaction)
            var metadata: [String: AuditValue] = [
                "provider": .string(link.provider), "issuer": .string(link.issuer), "subject": .string(link.subject),
                "sessions_ended": .integer(Int64(ended.count)),
            ]
            if let reason { metadata["reason"] = .string(reason) }
            try self.append(
                NewAuditEvent(.socialAccountUnlinked, user: user.username, userID: user.id, metadata: metadata),
                by: actor, at: now, in: transaction)
            try self.mail(
                .socialAccountUnlinked(provider: link.provider, MailOccasion(at: now)), to: user, Client(), at: now,
                in: transaction)
            return RemovedLink(user: User(user), link: SocialAccount(link), sessions: ended)
        }
    }

    /// Ends what an identity has begun that may not come any more: the groups that it gave, and the sessions that began
    /// by it. The link stays; the account may have other ways in.
    func cutOff(
        identity key: [UInt8], provider: String?, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        guard let link = try end(provedBy: key, at: now, in: transaction),
            var user = try Tables.users.get(link.userID, in: transaction)
        else { return }
        let before = user.allGroups
        if user.removeGrant(ofLink: link.id) {
            try Tables.users.put(user, for: user.id, in: transaction)
            let kept = Set(user.allGroups)
            try append(
                NewAuditEvent(
                    .userGroupsChanged, user: user.username, userID: user.id,
                    metadata: [
                        "provider": .string(provider ?? link.provider),
                        "provider_groups_removed": .strings(before.filter { !kept.contains($0) }),
                    ]),
                by: actor, at: now, in: transaction)
        }
        let ended = try endSessions(of: user, by: { $0.link == link.id }, at: now, in: transaction)
        try noteEnded(ended, of: user, by: actor, at: now, in: transaction)
    }
}
