internal import Core
internal import Cryptography
internal import LMDB

extension AccountOperations {
    /// Lets a session set up a new factor after a reset, by the link that the operator has had made. The link opens
    /// nothing by itself, and is used up by the new factor.
    ///
    /// - Parameter session: of a sign-in in the browser that has opened the link.
    /// - Returns: whether it is good for that session's account.
    @discardableResult
    public func noteEnrolmentLink(_ token: String, session: String) async throws(AccountsError) -> Bool {
        guard let digest = SecretText.digest(presented: token) else { return false }
        let store = store
        let now = now
        return try await store.writing { transaction in
            guard var session = try Tables.sessions.get(session, in: transaction),
                let user = try Tables.users.get(session.userID, in: transaction), session.isAlive(for: user, at: now),
                user.enrolsByLink == true, let link = try Tables.oneTimeLinks.get(digest, in: transaction),
                link.purpose == .enrolFactor, link.userID == user.id, link.expiresAt > now
            else { return false }
            session.enrolmentLink = Hexadecimal.encode(digest)
            try Tables.sessions.put(session, for: session.id, in: transaction)
            return true
        }
    }
}

extension Store {
    /// As ``requireRecentProof(_:at:in:)``, for who sets up a new factor.
    ///
    /// - Throws: also `refused` after a reset, to a session that has not brought the link.
    func requireEnrolling(
        _ principal: Principal, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (user: UserRecord, session: SessionRecord) {
        let (user, session) = try requireRecentProof(principal, at: now, in: transaction)
        try requireEnrolmentLink(
            session.enrolmentLink.flatMap(Hexadecimal.decode), of: user,
            besides: Proof(amr: session.amr, factors: session.factors), at: now, in: transaction)
        return (user, session)
    }

    /// After a reset it takes two things that are not the same: the link, and a first proof. A link that went by mail
    /// stands for the mailbox, so a sign-in by mail is nothing besides it; nor is a password that was set since, which
    /// a mail may have done.
    ///
    /// - Throws: `refused`.
    func requireEnrolmentLink(
        _ digest: [UInt8]?, of user: UserRecord, besides proof: Proof, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws {
        guard user.enrolsByLink == true else { return }
        guard let digest, let link = try Tables.oneTimeLinks.get(digest, in: transaction),
            link.purpose == .enrolFactor, link.userID == user.id, link.epoch == user.epoch, link.expiresAt > now
        else {
            throw AccountsError(
                .refused, "The second factor was reset: open the link that you were given, or ask for a new one.")
        }
        let isByMail = proof.amr.contains("email") && link.isHandedOver != true
        let changedAt = try Tables.passwords.get(user.id, in: transaction)?.changedAt
        let isByNewPassword = proof.amr.contains("pwd") && changedAt.map { $0 > link.createdAt } != false
        guard !isByMail, !isByNewPassword else {
            throw AccountsError(
                .refused, "A sign-in by mail is not enough beside this link: ask whoever runs this site for a new one.")
        }
    }
}
