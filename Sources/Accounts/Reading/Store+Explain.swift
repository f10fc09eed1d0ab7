public import Core
internal import LMDB

extension Store {
    /// What a request with this key would be, without the key (`explain --api-key ID`).
    ///
    /// - Throws: `notFound`.
    public func identity(ofAPIKey id: String) throws(AccountsError) -> CredentialReading {
        let now = clock.now()
        return try read { transaction in
            let (_, digest) = try self.require(key: id, in: transaction)
            guard let finding = try Findings.apiKey(digest, in: transaction) else {
                return .refused(CredentialRefusal(.credentialUnknown))
            }
            return finding.outcome.reading(at: now)
        }
    }

    /// What a request of this person with a new session without factors would be (`explain --user U`).
    ///
    /// - Throws: `notFound`.
    public func identity(ofUser selector: String) throws(AccountsError) -> CredentialReading {
        let now = clock.now()
        return try read { transaction in
            let user = try self.require(user: selector, in: transaction)
            let block = BlockSubject.emailText(user.canonicalEmail).key
            let isBlocked = try Tables.blocks.revision(of: block, in: transaction) != nil
            let session = SessionRecord(
                id: "explain", kind: .token, userID: user.id, epoch: user.epoch, actor: "explain", createdAt: now,
                expiresAt: now + .seconds(60), amr: [], factors: 0)
            return CredentialJudgement.session(
                session, user: user, isBlocked: isBlocked, expiresAt: session.expiresAt, origin: nil
            ).reading(at: now)
        }
    }
}
