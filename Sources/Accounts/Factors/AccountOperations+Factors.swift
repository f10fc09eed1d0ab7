public import Core
internal import Cryptography
internal import LMDB

/// What a person has enrolled, as it is shown.
public struct FactorOverview: Sendable, Equatable {
    /// When the authenticator was proved; nil: there is none.
    public let totpSince: Timestamp?
    public let totpLastUsedAt: Timestamp?
    /// How many were not used yet.
    public let backupCodes: Int
    public let passkeys: Int
    /// Something is there to be asked for.
    public let hasAny: Bool
    /// The session has proved a code or a passkey, and can do so again.
    public var isAskedAgain: Bool { hasAny && hasProvedOne }
    var hasProvedOne = false
}

extension AccountOperations {
    /// What whoever asks has enrolled.
    public func factors(of principal: Principal) throws(AccountsError) -> FactorOverview {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, session) = try store.require(principal, at: now, in: transaction)
            let standing = try store.factorStanding(of: user.id, in: transaction)
            let totp = try Tables.totp.get(user.id, in: transaction)
            return FactorOverview(
                totpSince: totp?.activeSince, totpLastUsedAt: totp?.isActive == true ? totp?.lastUsedAt : nil,
                backupCodes: standing.backupCodes, passkeys: standing.passkeys, hasAny: standing.hasAny,
                hasProvedOne: session.factors >= 2)
        }
    }

    /// Begins to set up an authenticator: good for nothing until ``confirmTOTP(_:code:givesCodes:from:)``, by the same
    /// session. An earlier set-up that was never proved is replaced, whoever began it: that one has to begin again.
    ///
    /// - Parameter showsCodes: backup codes are made now, else when it is confirmed.
    /// - Throws: `exists` when there is one; `reauthenticationRequired`; `refused` after a reset, to a session that has
    ///   not brought the link; `rateLimited`.
    public func setUpTOTP(
        _ principal: Principal, showsCodes: Bool, from client: Client
    ) async throws(AccountsError) -> TOTPSetUp {
        let store = store
        let now = now
        try takeChange(of: principal, as: .factorSetUp, from: client, at: now)
        let made = try materials(for: principal.userID, owner: principal.session, showsCodes: showsCodes, at: now)
        return try await store.writing { transaction in
            let (user, session) = try store.requireEnrolling(principal, at: now, in: transaction)
            return try store.begin(
                made, of: user, issuer: configuration.siteName,
                by: client.actor(user.username, session: session.id), at: now, in: transaction)
        }
    }

    func materials(
        for userID: String, owner: String, showsCodes: Bool, at now: Timestamp
    ) throws(AccountsError) -> TOTPMaterials {
        let secret = try store.newTOTPSecret(for: userID)
        let codes = try BackupCodes.make(store.random, for: userID)
        let record = TOTPRecord(
            sealed: secret.sealed, algorithm: OneTimePassword.Algorithm.sha1.rawValue, digits: 6, period: 30,
            createdAt: now, backupCodes: showsCodes ? codes.digests : nil, owner: owner)
        return TOTPMaterials(record: record, secret: secret.text, codes: showsCodes ? codes.codes : [])
    }

    /// The set-up that waits for its first code, to be shown once more beside a code that was wrong; without codes.
    ///
    /// - Throws: `refused` when there is none, or another session's.
    public func pendingTOTP(of principal: Principal) throws(AccountsError) -> TOTPSetUp {
        let store = store
        let now = now
        let issuer = configuration.siteName
        return try store.read { transaction in
            let (user, session) = try store.requireEnrolling(principal, at: now, in: transaction)
            return try store.pendingSetUp(of: user, by: session.id, issuer: issuer, at: now, in: transaction)
        }
    }

    /// Makes the authenticator good by its first code. The session has proved two factors then.
    ///
    /// - Parameter givesCodes: whoever has no backup codes gets some; false where nobody would see them.
    /// - Returns: new cookies for a browser; backup codes that were not shown yet.
    /// - Throws: `invalidCode`, `accountLocked`, `refused` when nothing is set up, or by another session.
    public func confirmTOTP(
        _ principal: Principal, code: String, givesCodes: Bool = true, from client: Client
    ) async throws(AccountsError) -> (secrets: SessionSecrets?, backupCodes: [String]) {
        let store = store
        let now = now
        let gate = FactorGate(self)
        try limiter.take(.signIn, client: client, as: .factorAdded, by: principal.userID, configuration.limits, at: now)
        let secrets = try NewSessionSecrets(store.random)
        let codes = givesCodes ? try BackupCodes.make(store.random, for: principal.userID) : nil
        let outcome = try await store.writing { transaction -> Result<(SessionSecrets?, [String]), AccountsError> in
            var (user, session) = try store.requireEnrolling(principal, at: now, in: transaction)
            let verdict = try gate.activate(
                code, of: user, by: session.id, event: .factorAdded, client: client, session: session.id, at: now,
                in: transaction)
            if case .refused(let refusal) = verdict { return .failure(refusal) }
            let shown = try store.enrolled(
                codes, of: user, from: client, session: session.id, at: now, in: transaction)
            session.prove(Proof(amr: session.amr, factors: session.factors).withCode, at: now)
            return .success((try store.raise(&session, secrets, at: now, in: transaction), shown))
        }
        return try outcome.get()
    }

    /// Takes the authenticator away, and the backup codes with the last factor.
    ///
    /// - Throws: `invalidCode`, `accountLocked`; `refused` when there is none, or when it is the last one and the
    ///   operator wants one.
    public func disableTOTP(_ principal: Principal, code: String, from client: Client) async throws(AccountsError) {
        let required = configuration.secondFactorIsRequired
        let possible: @Sendable (FactorStanding) throws -> Void = { standing in
            guard standing.totp else {
                throw AccountsError(.refused, "There is no authenticator.", .authenticatorMissing)
            }
            if required, standing.passkeys == 0 {
                throw AccountsError(
                    .refused, "A second factor is required here: set up another one first.", .factorRequired)
            }
        }
        try await byCode(principal, code, event: .factorRemoved, if: possible, from: client) {
            store, user, session, now, transaction in
            try Tables.totp.delete(user.id, in: transaction)
            try store.factorGone("totp", of: user, from: client, session: session.id, at: now, in: transaction)
        }
    }

    /// New backup codes in place of those that there are.
    ///
    /// - Throws: `invalidCode`, `accountLocked`.
    public func renewBackupCodes(
        _ principal: Principal, code: String, from client: Client
    ) async throws(AccountsError) -> [String] {
        let codes = try BackupCodes.make(store.random, for: principal.userID)
        try await byCode(
            principal, code, event: .backupCodesRenewed, from: client
        ) { store, user, session, now, transaction in
            try Tables.backupCodes.put(
                BackupCodesRecord(digests: codes.digests, createdAt: now), for: user.id, in: transaction)
            try store.append(
                NewAuditEvent(.backupCodesRenewed, user: user.username, userID: user.id, session: session.id),
                by: client.actor(user.username, session: session.id), at: now, in: transaction)
            try store.mail(
                .backupCodesRenewed(client.occasion(at: now)), to: user, client, at: now, in: transaction)
        }
        return codes.codes
    }

    /// Proves once more who is there, by a code: the session has proved two factors then.
    ///
    /// - Returns: the new cookies; nil for an API client.
    /// - Throws: `invalidCode`, `accountLocked`.
    public func reauthenticate(
        _ principal: Principal, code: String, from client: Client
    ) async throws(AccountsError) -> SessionSecrets? {
        let secrets = try NewSessionSecrets(store.random)
        return try await byCode(
            principal, code, event: .reauthenticated, from: client
        ) { store, user, session, now, transaction in
            session.prove(Proof(amr: session.amr, factors: session.factors).withCode, at: now)
            return try store.reauthenticated(
                user, by: "code", in: &session, secrets, from: client, at: now, in: transaction)
        }
    }

    /// What a signed-in person gives a code for: the code is the proof.
    ///
    /// - Parameter possible: throws for what comes to nothing anyway, before the code is judged and used up.
    private func byCode<Result: Sendable>(
        _ principal: Principal, _ code: String, event: AuditEventType,
        if possible: @escaping @Sendable (FactorStanding) throws -> Void = { _ in }, from client: Client,
        _ body:
            @escaping @Sendable (
                Store, UserRecord, inout SessionRecord, Timestamp, borrowing WriteTransaction
            ) throws -> Result
    ) async throws(AccountsError) -> Result {
        let store = store
        let now = now
        let gate = FactorGate(self)
        try limiter.take(.signIn, client: client, as: event, by: principal.userID, configuration.limits, at: now)
        let outcome = try await store.writing { transaction -> Swift.Result<Result, AccountsError> in
            var (user, session) = try store.require(principal, at: now, in: transaction)
            let standing = try store.factorStanding(of: user.id, in: transaction)
            guard standing.takesCodes else {
                throw AccountsError(
                    .refused, "There is no authenticator: set one up first.", .authenticatorMissing)
            }
            try possible(standing)
            let verdict = try gate.judge(
                code, of: user, event: event, client: client, session: session.id, at: now, in: transaction)
            if case .refused(let refusal) = verdict { return .failure(refusal) }
            return .success(try body(store, user, &session, now, transaction))
        }
        return try outcome.get()
    }
}

/// A set-up that is not stored yet.
struct TOTPMaterials: Sendable {
    let record: TOTPRecord
    let secret: String
    let codes: [String]
}
