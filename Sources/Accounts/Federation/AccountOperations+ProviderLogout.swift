internal import Core
internal import LMDB

extension AccountOperations {
    /// Ends sessions that began by a provider, because the provider says that they are over.
    ///
    /// - Parameters:
    ///   - subject: nil: whoever has that session there.
    ///   - sessionID: nil: all of the subject's.
    /// - Returns: how many ended.
    @discardableResult
    public func endSessions(
        at provider: String, issuer: String, subject: String?, sessionID: String?, from client: Client
    ) async throws(AccountsError) -> Int {
        let now = now
        let store = store
        let actor = client.actor("provider:\(provider)")
        return try await store.writing { transaction in
            var ended: [String] = []
            if let subject {
                let key = BlockSubject.subject(issuer: issuer, subject: subject).key
                guard let link = try store.end(provedBy: key, at: now, in: transaction),
                    let user = try Tables.users.get(link.userID, in: transaction)
                else { return 0 }
                // A session that began without a name there may be the one that is meant.
                ended = try store.endSessions(
                    of: user,
                    by: {
                        $0.link == link.id
                            && (sessionID == nil || $0.sessionID == nil || $0.sessionID == sessionID)
                    }, at: now, in: transaction)
                try store.noteEnded(ended, of: user, by: actor, at: now, in: transaction)
                return ended.count
            }
            guard let sessionID else { return 0 }
            let prefix = KeyPair<String, String>.prefix(
                FederatedSession.place(issuer: issuer, sessionID: sessionID))
            for key in try Tables.sessionsByProvider.keys(prefix: prefix, in: transaction) {
                guard var session = try Tables.sessions.get(key.second, in: transaction), session.revokedAt == nil,
                    let user = try Tables.users.get(session.userID, in: transaction)
                else { continue }
                try store.end(&session, at: now, in: transaction)
                try store.noteEnded([session.id], of: user, by: actor, at: now, in: transaction)
                ended.append(session.id)
            }
            return ended.count
        }
    }

    /// The provider has proved who somebody is and does not let them in any more: the groups that it gave them are gone,
    /// and so are the sessions that began there. The link stays; the account may have other ways in.
    public func endRefused(
        at provider: String, issuer: String, subject: String, from client: Client
    ) async throws(AccountsError) {
        let now = now
        let store = store
        let actor = client.actor("provider:\(provider)")
        try await store.writing { transaction in
            let key = BlockSubject.subject(issuer: issuer, subject: subject).key
            guard let link = try store.end(provedBy: key, at: now, in: transaction),
                var user = try Tables.users.get(link.userID, in: transaction)
            else { return }
            let before = user.allGroups
            if user.removeGrant(ofLink: link.id) {
                try Tables.users.put(user, for: user.id, in: transaction)
                let kept = Set(user.allGroups)
                try store.append(
                    NewAuditEvent(
                        .userGroupsChanged, user: user.username, userID: user.id,
                        metadata: [
                            "provider": .string(provider),
                            "provider_groups_removed": .strings(before.filter { !kept.contains($0) }),
                        ]),
                    by: actor, at: now, in: transaction)
            }
            let ended = try store.endSessions(of: user, by: { $0.link == link.id }, at: now, in: transaction)
            try store.noteEnded(ended, of: user, by: actor, at: now, in: transaction)
        }
    }

    /// The provider by which the session of whoever asks began; nil: by none.
    public func provider(of principal: Principal) throws(AccountsError) -> String? {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, session) = try store.require(principal, at: now, in: transaction)
            guard let federated = session.federated else { return nil }
            return try store.socialAccounts(of: user.id, in: transaction).first { $0.id == federated.link }?.provider
        }
    }
}

extension Store {
    /// Writes down that what a provider has proved of an identity up to now is worth nothing.
    ///
    /// - Returns: its link; nil: there is none.
    fileprivate func end(
        provedBy key: [UInt8], at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> SocialAccountRecord? {
        guard var link = try Tables.socialAccounts.get(key, in: transaction) else { return nil }
        link.endedAt = now
        try Tables.socialAccounts.put(link, for: key, in: transaction)
        return link
    }
}
