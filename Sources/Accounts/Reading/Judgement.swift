internal import Core

/// What the records say of a credential; pure. Time is compared elsewhere, at each use.
enum CredentialJudgement {
    /// - Parameters:
    ///   - digest: the key's SHA-256.
    ///   - user: the owner; nil when the account was deleted.
    ///   - isBlocked: the owner's address is blocked.
    static func apiKey(_ key: APIKeyRecord, digest: [UInt8], user: UserRecord?, isBlocked: Bool) -> Outcome {
        var refusal = CredentialRefusal(
            .credentialRevoked, user: user?.username, subject: key.userID, credentialID: key.id)
        guard let user else { return .refused(refusal) }
        guard !user.disabled, !isBlocked else {
            refusal.reason = .userDisabled
            return .refused(refusal)
        }
        guard key.revokedAt == nil, key.epoch == user.epoch else { return .refused(refusal) }
        return .identity(
            Identity(
                kind: .apiKey, credentialID: key.id, subject: user.id, user: user.username, email: user.email,
                name: user.name, groups: user.allGroups, scopes: key.scopes, expiresAt: key.expiresAt,
                bounds: key.bounds,
                origin: .apiKey(digest: digest)))
    }

    /// - Parameters:
    ///   - expiresAt: of the token or the cookie, which may end before its session.
    ///   - origin: the token or the cookie; nil when there is none.
    static func session(
        _ session: SessionRecord, user: UserRecord?, isBlocked: Bool, expiresAt: Timestamp, origin: CredentialOrigin?
    ) -> Outcome {
        var refusal = CredentialRefusal(
            .credentialRevoked, user: user?.username, subject: session.userID, credentialID: session.id)
        guard let user else { return .refused(refusal) }
        guard !user.disabled, !isBlocked else {
            refusal.reason = .userDisabled
            return .refused(refusal)
        }
        guard session.revokedAt == nil, session.epoch == user.epoch, !user.service else { return .refused(refusal) }
        return .identity(
            Identity(
                kind: .session, credentialID: session.id, subject: user.id, user: user.username, email: user.email,
                name: user.name, groups: user.allGroups, amr: session.amr, factors: session.factors,
                authenticatedAt: session.authenticatedAt, secondFactorAt: session.secondFactorAt, session: session.id,
                expiresAt: min(expiresAt, session.expiresAt), origin: origin))
    }

    /// A foreign identity that is a local account, with its names and groups.
    static func local(_ user: UserRecord, foreign: ForeignIdentity, isBlocked: Bool) -> Outcome {
        guard !user.disabled, !isBlocked else {
            return .refused(
                CredentialRefusal(
                    .userDisabled, user: user.username, subject: user.id, credentialID: foreign.credentialID))
        }
        return .identity(
            Identity(
                kind: foreign.kind, credentialID: foreign.credentialID, subject: user.id, user: user.username,
                email: user.email, name: user.name, groups: user.allGroups, scopes: foreign.scopes, amr: foreign.amr,
                authenticatedAt: foreign.authenticatedAt, issuer: foreign.issuerID, expiresAt: foreign.expiresAt,
                origin: .foreign(foreign)))
    }

    /// A foreign identity that stays one. The groups that only the operator gives are left out here too.
    static func foreign(_ foreign: ForeignIdentity, isBlocked: Bool) -> Outcome {
        let subject = foreign.issuerID + ":" + foreign.subject
        guard !isBlocked else {
            return .refused(
                CredentialRefusal(
                    .userDisabled, user: foreign.user, subject: subject, credentialID: foreign.credentialID))
        }
        return .identity(
            Identity(
                kind: foreign.kind, credentialID: foreign.credentialID, subject: subject, user: foreign.user,
                email: foreign.emailVerified ? foreign.email?.description : nil, name: foreign.name,
                groups: foreign.groups.filter { GroupName.isValid($0) && !GroupName.isReserved($0) },
                scopes: foreign.scopes, amr: foreign.amr, authenticatedAt: foreign.authenticatedAt,
                issuer: foreign.issuerID, expiresAt: foreign.expiresAt, origin: .foreign(foreign)))
    }
}
