internal import Core
internal import LMDB

/// What let an identity be linked, for the audit log.
enum LinkReason: String {
    /// By whoever proved both.
    case owner
    case claimedDomain = "claimed_domain"
    case firstCredential = "first_credential"
    /// The account was made for it.
    case firstSignIn = "first_sign_in"
}

extension Store {
    /// The links of an account, oldest first.
    func socialAccounts(
        of userID: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [SocialAccountRecord] {
        let prefix = KeyPair<String, [UInt8]>.prefix(userID)
        var links: [SocialAccountRecord] = []
        for key in try Tables.socialAccountsByUser.keys(prefix: prefix, in: transaction) {
            if let record = try Tables.socialAccounts.get(key.second, in: transaction) { links.append(record) }
        }
        return links.sorted { ($0.linkedAt, $0.id) < ($1.linkedAt, $1.id) }
    }

    /// Links an identity that is nobody's yet, with its event.
    ///
    /// - Parameters:
    ///   - user: changed; to be put by the caller.
    ///   - how: what let it be linked, for the audit log.
    func link(
        _ identity: FederatedIdentity, to user: inout UserRecord, id: String, how: LinkReason, by actor: AuditActor,
        from client: Client, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> SocialAccountRecord {
        let record = SocialAccountRecord(
            id: id, userID: user.id, provider: identity.provider, issuer: identity.issuer, subject: identity.subject,
            email: identity.email?.description, linkedAt: now)
        guard try Tables.socialAccounts.insert(record, for: identity.key, in: transaction) else {
            throw AccountsError(.exists, "This identity is linked with an account already.")
        }
        try Tables.socialAccountsByUser.put(EmptyRecord(), for: KeyPair(user.id, identity.key), in: transaction)
        user.awaitsCredential = nil
        var metadata = identity.metadata
        metadata["by"] = .string(how.rawValue)
        try append(
            NewAuditEvent(.socialAccountLinked, user: user.username, userID: user.id, metadata: metadata),
            by: actor, at: now, in: transaction)
        if how != .firstSignIn {
            try mail(
                .socialAccountLinked(provider: identity.provider, client.occasion(at: now)), to: user, client, at: now,
                in: transaction)
        }
        return record
    }

    /// Removes a link with what it gave.
    ///
    /// - Parameter user: changed; to be put by the caller.
    func unlink(
        _ record: SocialAccountRecord, from user: inout UserRecord, in transaction: borrowing WriteTransaction
    ) throws {
        let key = BlockSubject.subject(issuer: record.issuer, subject: record.subject).key
        try Tables.socialAccounts.delete(key, in: transaction)
        try Tables.socialAccountsByUser.delete(KeyPair(record.userID, key), in: transaction)
        user.removeGrant(ofLink: record.id)
    }

    /// Of an account that goes.
    func removeSocialAccounts(of userID: String, in transaction: borrowing WriteTransaction) throws {
        let prefix = KeyPair<String, [UInt8]>.prefix(userID)
        for key in try Tables.socialAccountsByUser.keys(prefix: prefix, in: transaction) {
            try Tables.socialAccounts.delete(key.second, in: transaction)
            try Tables.socialAccountsByUser.delete(key, in: transaction)
        }
    }
}
