internal import Core
internal import LMDB

/// What tables say against one another; of each kind the first few.
struct Contradictions {
    private static let most = 20
    private var kinds: [(name: String, count: Int)] = []
    private var texts: [String] = []

    /// - Parameter kind: the table that does not hold.
    mutating func add(_ kind: String, _ text: String) {
        let index = kinds.firstIndex { $0.name == kind } ?? kinds.count
        if index == kinds.count { kinds.append((kind, 0)) }
        kinds[index].count += 1
        if kinds[index].count <= Self.most { texts.append("\(kind) \(text)") }
    }

    var sentences: [String] {
        texts
            + kinds.filter { $0.count > Self.most }.map { "\($0.name): \($0.count - Self.most) more of the same kind" }
    }
}

/// Only what one transaction writes together is held against each other: what is freed later may lead nowhere meanwhile.
extension Store {
    func compareAccounts(_ found: inout Contradictions, in transaction: borrowing ReadTransaction) throws {
        try Tables.users.forEach(in: transaction) { id, user, _ in
            if try Tables.usersByEmail.get(user.canonicalEmail, in: transaction)?.text != id {
                found.add("users_by_email", "does not lead to user \(id)")
            }
            let name = try Tables.usersByName.get(UserName.folded(user.username), in: transaction)
            if name != NameRecord(userID: id, current: true) {
                found.add("users_by_name", "does not lead to user \(id)")
            }
            return true
        }
        try Tables.usersByEmail.forEach(in: transaction) { email, reference, _ in
            if try !self.isThere(user: reference.text, in: transaction) {
                found.add("users_by_email", "leads from \(email) to no user")
            }
            return true
        }
        for id in try Tables.passwords.keys(in: transaction) where try !isThere(user: id, in: transaction) {
            found.add("passwords", "leads to no user \(id)")
        }
        for id in try Tables.totp.keys(in: transaction) where try !isThere(user: id, in: transaction) {
            found.add("totp", "leads to no user \(id)")
        }
        try Tables.socialAccounts.forEach(in: transaction) { key, link, _ in
            if try Tables.socialAccountsByUser.get(KeyPair(link.userID, key), in: transaction) == nil {
                found.add("social_by_user", "does not lead to an identity of user \(link.userID)")
            }
            return true
        }
        for key in try Tables.socialAccountsByUser.keys(in: transaction)
        where try Tables.socialAccounts.get(key.second, in: transaction)?.userID != key.first {
            found.add("social_by_user", "leads from user \(key.first) to no identity of theirs")
        }
    }

    func compareCredentials(_ found: inout Contradictions, in transaction: borrowing ReadTransaction) throws {
        try Tables.apiKeys.forEach(in: transaction) { digest, key, _ in
            if try Tables.apiKeysByID.get(key.id, in: transaction)?.key != digest {
                found.add("api_keys_by_id", "does not lead to key \(key.id)")
            }
            if try Tables.apiKeysByUser.get(KeyPair(key.userID, key.id), in: transaction) == nil {
                found.add("api_keys_by_user", "does not lead to key \(key.id)")
            }
            return true
        }
        try Tables.apiKeysByID.forEach(in: transaction) { id, reference, _ in
            if try Tables.apiKeys.get(reference.key, in: transaction) == nil {
                found.add("api_keys_by_id", "leads from \(id) to no key")
            }
            return true
        }
        try Tables.sessions.forEach(in: transaction) { id, session, _ in
            if try Tables.sessionsByUser.get(KeyPair(session.userID, id), in: transaction) == nil {
                found.add("sessions_by_user", "does not lead to session \(id)")
            }
            return true
        }
        for key in try Tables.sessionsByUser.keys(in: transaction)
        where try Tables.sessions.revision(of: key.second, in: transaction) == nil {
            found.add("sessions_by_user", "leads to no session \(key.second)")
        }
        for id in try Tables.providerTokens.keys(in: transaction)
        where try Tables.sessions.revision(of: id, in: transaction) == nil {
            found.add("provider_tokens", "leads to no session \(id)")
        }
        try Tables.passkeys.forEach(in: transaction) { digest, passkey, _ in
            if try Tables.passkeysByUser.get(KeyPair(passkey.userID, digest), in: transaction) == nil {
                found.add("passkeys_by_user", "does not lead to a passkey of user \(passkey.userID)")
            }
            return true
        }
        for key in try Tables.passkeysByUser.keys(in: transaction)
        where try Tables.passkeys.get(key.second, in: transaction)?.userID != key.first {
            found.add("passkeys_by_user", "leads from user \(key.first) to no passkey of theirs")
        }
        try Tables.oneTimeLinks.forEach(in: transaction) { digest, link, _ in
            if try Tables.linksByUser.get(KeyPair(link.userID, digest), in: transaction) == nil {
                found.add("links_by_user", "does not lead to a link of user \(link.userID)")
            }
            return true
        }
        for key in try Tables.linksByUser.keys(in: transaction)
        where try Tables.oneTimeLinks.get(key.second, in: transaction)?.userID != key.first {
            found.add("links_by_user", "leads from user \(key.first) to no link of theirs")
        }
    }

    func compareLogs(_ found: inout Contradictions, in transaction: borrowing ReadTransaction) throws {
        for key in try Tables.outboxDue.keys(in: transaction)
        where try Tables.outbox.get(key.second, in: transaction)?.dueKey != key {
            found.add("outbox_due", "leads to no mail \(key.second)")
        }
        for key in try Tables.webhookRetries.keys(in: transaction)
        where try Tables.outbox.get(OutboxRecord.letterID(in: key.second), in: transaction)?.asideKey != key {
            found.add("webhook_retries", "leads to no event of webhook \(key.first)")
        }
        try Tables.audit.forEach(in: transaction) { sequence, stored, _ in
            guard let event = try? stored.event(), let owner = Self.auditOwner(of: event) else { return true }
            if try Tables.auditByUser.revision(of: KeyPair(owner, sequence), in: transaction) == nil {
                found.add("audit_by_user", "does not lead to event \(sequence)")
            }
            return true
        }
        try Tables.auditByUser.forEach(in: transaction) { key, _, _ in
            if try Tables.audit.revision(of: key.second, in: transaction) == nil {
                found.add("audit_by_user", "leads to no event \(key.second)")
            }
            return true
        }
    }

    private func isThere(user id: String, in transaction: borrowing ReadTransaction) throws -> Bool {
        try Tables.users.revision(of: id, in: transaction) != nil
    }
}
