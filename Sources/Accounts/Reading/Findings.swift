internal import Core
internal import LMDB

/// Makes findings from the records. All take the rows from one view of the store.
enum Findings {
    /// Nil when no key has that digest: nothing is kept of what anybody may make up.
    static func apiKey(_ digest: [UInt8], in transaction: borrowing ReadTransaction) throws -> Finding? {
        guard let (key, revision) = try Tables.apiKeys.getWithRevision(digest, in: transaction) else { return nil }
        var dependencies = [Dependency(row: .apiKey(digest), revision: revision)]
        let (user, isBlocked) = try owner(key.userID, &dependencies, in: transaction)
        return Finding(
            CredentialJudgement.apiKey(key, digest: digest, user: user, isBlocked: isBlocked), dependencies,
            in: transaction)
    }

    /// For a token of ours whose signature is good.
    ///
    /// - Parameter keys: the revision of the signing keys that it was verified with.
    static func accessToken(
        _ token: AccessTokenOrigin, keys: UInt64?, in transaction: borrowing ReadTransaction
    ) throws -> Finding {
        let id = token.session
        let subject = token.subject
        var dependencies = [Dependency(row: .signingKeys, revision: keys)]
        guard let (session, revision) = try Tables.sessions.getWithRevision(id, in: transaction) else {
            // We did sign it, so the session was there: it was ended and freed, or a backup was put back.
            dependencies.append(Dependency(row: .session(id), revision: nil))
            return Finding(
                .refused(CredentialRefusal(.credentialRevoked, subject: subject, credentialID: id)), dependencies,
                in: transaction)
        }
        dependencies.append(Dependency(row: .session(id), revision: revision))
        guard session.userID == subject, session.kind != .browser else {
            return Finding(
                .refused(CredentialRefusal(.credentialUnknown, credentialID: id)), dependencies, in: transaction)
        }
        let (user, isBlocked) = try owner(subject, &dependencies, in: transaction)
        return Finding(
            CredentialJudgement.session(
                session, user: user, isBlocked: isBlocked, expiresAt: token.expiresAt, origin: .accessToken(token)),
            dependencies, in: transaction)
    }

    /// Nil when no session has a secret of that digest for that plane.
    static func cookie(
        _ digest: [UInt8], plane: SessionOrigin.Plane, in transaction: borrowing ReadTransaction
    ) throws -> Finding? {
        guard let (secret, revision) = try Tables.sessionSecrets.getWithRevision(digest, in: transaction),
            secret.kind.plane == plane
        else { return nil }
        let first = Dependency(row: .sessionSecret(digest), revision: revision)
        return try session(
            secret.session, plane: plane, until: secret.endsAt ?? .init(milliseconds: .max), before: secret.before,
            [first], in: transaction)
    }

    /// For a session whose cookie was good.
    ///
    /// - Parameter before: what had been proved in it when the cookie was replaced; nil: it is the cookie of now.
    static func session(
        _ id: String, plane: SessionOrigin.Plane, until end: Timestamp, before: ProvedInSession? = nil,
        _ known: [Dependency] = [], in transaction: borrowing ReadTransaction
    ) throws -> Finding? {
        var dependencies = known
        guard let found = try Tables.sessions.getWithRevision(id, in: transaction), found.record.kind == .browser
        else { return nil }
        var session = found.record
        before?.limit(&session)
        let revision = found.revision
        dependencies.append(Dependency(row: .session(id), revision: revision))
        let (user, isBlocked) = try owner(session.userID, &dependencies, in: transaction)
        var outcome = CredentialJudgement.session(
            session, user: user, isBlocked: isBlocked, expiresAt: end,
            origin: .session(SessionOrigin(session: id, subject: session.userID, plane: plane)))
        if case .identity(let identity) = outcome, let idle = session.idle {
            let last = try lastUse(of: id, in: transaction) ?? session.createdAt
            let activity = SessionActivity(
                idle: .milliseconds(idle),
                inUseUntil: max(last, session.authenticatedAt ?? session.createdAt) + .milliseconds(idle))
            outcome = .session(identity, activity)
        }
        return Finding(outcome, dependencies, in: transaction)
    }

    static func lastUse(of id: String, in transaction: borrowing ReadTransaction) throws -> Timestamp? {
        try Tables.lastUses.get(id, in: transaction)?.at
    }

    /// What the local accounts say of a foreign identity.
    static func foreign(_ foreign: ForeignIdentity, in transaction: borrowing ReadTransaction) throws -> Finding {
        var dependencies: [Dependency] = []
        var isBlocked = try block(
            BlockSubject.subject(issuer: foreign.issuer, subject: foreign.subject).key, &dependencies, in: transaction)
        // Whether it is verified or not: who only says that address is not let in by saying less.
        if let email = foreign.email {
            let emailBlocked = try block(BlockSubject.email(email).key, &dependencies, in: transaction)
            isBlocked = isBlocked || emailBlocked
        }
        if !isBlocked, let id = try match(foreign, &dependencies, in: transaction) {
            let (user, ownerBlocked) = try owner(id, &dependencies, in: transaction)
            // A service account is nobody's other self.
            if let user, !user.service {
                return Finding(
                    CredentialJudgement.local(user, foreign: foreign, isBlocked: ownerBlocked), dependencies,
                    in: transaction)
            }
        }
        return Finding(
            CredentialJudgement.foreign(foreign, isBlocked: isBlocked), dependencies, in: transaction)
    }

    private static func match(
        _ foreign: ForeignIdentity, _ dependencies: inout [Dependency], in transaction: borrowing ReadTransaction
    ) throws -> String? {
        switch foreign.matching {
        case .none: return nil
        case .email:
            // An address that the issuer does not vouch for is anybody's.
            guard let email = foreign.email?.canonical, foreign.emailVerified else { return nil }
            let found = try Tables.usersByEmail.getWithRevision(email, in: transaction)
            dependencies.append(Dependency(row: .userByEmail(email), revision: found?.revision))
            return found?.record.text
        case .user:
            // The names of accounts are ASCII: there is nothing to look up.
            guard foreign.subject.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
            // The claim itself: the prefix keeps apart those that are not matched.
            let name = UserName.folded(foreign.subject)
            let found = try Tables.usersByName.getWithRevision(name, in: transaction)
            dependencies.append(Dependency(row: .userByName(name), revision: found?.revision))
            guard let record = found?.record, record.current else { return nil }
            return record.userID
        }
    }

    private static func owner(
        _ id: String, _ dependencies: inout [Dependency], in transaction: borrowing ReadTransaction
    ) throws -> (UserRecord?, isBlocked: Bool) {
        let found = try Tables.users.getWithRevision(id, in: transaction)
        dependencies.append(Dependency(row: .user(id), revision: found?.revision))
        guard let user = found?.record else { return (nil, false) }
        let key = BlockSubject.emailText(user.canonicalEmail).key
        return (user, try block(key, &dependencies, in: transaction))
    }

    private static func block(
        _ key: [UInt8], _ dependencies: inout [Dependency], in transaction: borrowing ReadTransaction
    ) throws -> Bool {
        let revision = try Tables.blocks.revision(of: key, in: transaction)
        dependencies.append(Dependency(row: .block(key), revision: revision))
        return revision != nil
    }
}
