internal import Core
internal import LMDB

extension Store {
    /// Shows that the store can be read and written, for `/readyz`. Writes one small row.
    public func probe() throws(AccountsError) {
        let now = clock.now()
        try write { transaction in
            try Tables.meta.put(MetaRecord(at: now), for: MetaRecord.probe, in: transaction)
        }
        _ = try read { transaction in
            try Tables.meta.get(MetaRecord.probe, in: transaction)
        }
    }

    /// Compares the tables with one another (`gatehouse store check`); reads everything in one view.
    ///
    /// - Returns: a sentence a problem; empty when all is well.
    public func check() throws(AccountsError) -> [String] {
        try read { transaction in
            var problems: [String] = []
            try Tables.users.forEach(in: transaction) { id, user, _ in
                if try Tables.usersByEmail.get(user.canonicalEmail, in: transaction)?.text != id {
                    problems.append("users_by_email does not lead to user \(id)")
                }
                let name = try Tables.usersByName.get(UserName.folded(user.username), in: transaction)
                if name != NameRecord(userID: id, current: true) {
                    problems.append("users_by_name does not lead to user \(id)")
                }
                return true
            }
            try Tables.usersByEmail.forEach(in: transaction) { email, reference, _ in
                if try Tables.users.get(reference.text, in: transaction) == nil {
                    problems.append("users_by_email leads from \(email) to no user")
                }
                return true
            }
            try Tables.apiKeys.forEach(in: transaction) { digest, key, _ in
                if try Tables.apiKeysByID.get(key.id, in: transaction)?.key != digest {
                    problems.append("api_keys_by_id does not lead to key \(key.id)")
                }
                return true
            }
            try Tables.apiKeysByID.forEach(in: transaction) { id, reference, _ in
                if try Tables.apiKeys.get(reference.key, in: transaction) == nil {
                    problems.append("api_keys_by_id leads from \(id) to no key")
                }
                return true
            }
            try Tables.sessions.forEach(in: transaction) { id, session, _ in
                if try Tables.sessionsByUser.get(KeyPair(session.userID, id), in: transaction) == nil {
                    problems.append("sessions_by_user does not lead to session \(id)")
                }
                return true
            }
            for id in try Tables.providerTokens.keys(in: transaction)
            where try Tables.sessions.revision(of: id, in: transaction) == nil {
                problems.append("provider_tokens leads to no session \(id)")
            }
            for key in try Tables.outboxDue.keys(in: transaction)
            where try Tables.outbox.get(key.second, in: transaction)?.dueKey != key {
                problems.append("outbox_due leads to no mail \(key.second)")
            }
            return problems
        }
    }
}
