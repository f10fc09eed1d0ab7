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
}

extension AccountOperations {
    /// What whoever asks has enrolled.
    public func factors(of principal: Principal) throws(AccountsError) -> FactorOverview {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            let standing = try store.factorStanding(of: user.id, in: transaction)
            let totp = try Tables.totp.get(user.id, in: transaction)
            return FactorOverview(
                totpSince: totp?.activeSince, totpLastUsedAt: totp?.isActive == true ? totp?.lastUsedAt : nil,
                backupCodes: standing.backupCodes, passkeys: standing.passkeys, hasAny: standing.hasAny)
        }
    }

    /// Begins to set up an authenticator: good for nothing until ``confirmTOTP(_:code:from:)``. An earlier set-up that
    /// was never proved is replaced.
    ///
    /// - Parameter showsCodes: backup codes are made now, else when it is confirmed.
    /// - Throws: `exists` when there is one; `reauthenticationRequired`.
    public func setUpTOTP(
        _ principal: Principal, showsCodes: Bool, from client: Client
    ) async throws(AccountsError) -> TOTPSetUp {
        let store = store
        let now = now
        let made = try materials(for: principal.userID, showsCodes: showsCodes, at: now)
        return try await store.writing { transaction in
            let (user, session) = try store.requireRecentProof(principal, at: now, in: transaction)
            return try store.begin(
                made, of: user, issuer: configuration.siteName,
                by: client.actor(user.username, session: session.id), at: now, in: transaction)
        }
    }

    func materials(
        for userID: String, showsCodes: Bool, at now: Timestamp
    ) throws(AccountsError) -> TOTPMaterials {
        let secret = try store.newTOTPSecret(for: userID)
        let codes = try BackupCodes.make(store.random, for: userID)
        let record = TOTPRecord(
            sealed: secret.sealed, algorithm: OneTimePassword.Algorithm.sha1.rawValue, digits: 6, period: 30,
            createdAt: now, backupCodes: showsCodes ? codes.digests : nil)
        return TOTPMaterials(record: record, secret: secret.text, codes: showsCodes ? codes.codes : [])
    }

    /// The set-up that waits for its first code, to be shown once more beside a code that was wrong; without codes.
    ///
    /// - Throws: `refused` when there is none.
    public func pendingTOTP(of principal: Principal) throws(AccountsError) -> TOTPSetUp {
        let store = store
        let now = now
        let issuer = configuration.siteName
        return try store.read { transaction in
            let (user, _) = try store.requireRecentProof(principal, at: now, in: transaction)
            return try store.pendingSetUp(of: user, issuer: issuer, at: now, in: transaction)
        }
    }

    /// Makes the authenticator good by its first code. The session has proved two factors then.
    ///
    /// - Returns: new cookies for a browser; backup codes that were not shown yet.
    /// - Throws: `invalidCode`, `accountLocked`, `refused` when nothing is set up.
    public func confirmTOTP(
        _ principal: Principal, code: String, from client: Client
    ) async throws(AccountsError) -> (secrets: SessionSecrets?, backupCodes: [String]) {
        let store = store
        let now = now
        let gate = FactorGate(self)
        try limiter.take(.signIn, client: client.address, configuration.limits, at: now)
        let secrets = try NewSessionSecrets(store.random)
        let codes = try BackupCodes.make(store.random, for: principal.userID)
        let outcome = try await store.writing { transaction -> Result<(SessionSecrets?, [String]), AccountsError> in
            var (user, session) = try store.requireRecentProof(principal, at: now, in: transaction)
            let verdict = try gate.activate(
                code, of: user, event: .factorAdded, client: client, session: session.id, at: now, in: transaction)
            if case .refused(let refusal) = verdict { return .failure(refusal) }
            let shown = try store.enrolled(
                codes, of: user, from: client, session: session.id, at: now, in: transaction)
            let proof = Proof(amr: session.amr, factors: session.factors).withCode
            (session.amr, session.factors, session.authenticatedAt) = (proof.amr, proof.factors, now)
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
        try await byCode(principal, code, event: .factorRemoved, from: client) {
            store, user, session, now, transaction in
            guard try Tables.totp.get(user.id, in: transaction)?.isActive == true else {
                throw AccountsError(.refused, "There is no authenticator.")
            }
            if required, try store.factorStanding(of: user.id, in: transaction).passkeys == 0 {
                throw AccountsError(.refused, "A second factor is required here: set up another one first.")
            }
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
            let proof = Proof(amr: session.amr, factors: session.factors).withCode
            (session.amr, session.factors, session.authenticatedAt) = (proof.amr, proof.factors, now)
            let handedOut = try store.raise(&session, secrets, at: now, in: transaction)
            try store.append(
                NewAuditEvent(
                    .reauthenticated, user: user.username, userID: user.id, session: session.id,
                    metadata: ["method": .string("code")]),
                by: client.actor(user.username, session: session.id), at: now, in: transaction)
            return handedOut
        }
    }

    /// What a signed-in person gives a code for: the code is the proof.
    private func byCode<Result: Sendable>(
        _ principal: Principal, _ code: String, event: AuditEventType, from client: Client,
        _ body:
            @escaping @Sendable (
                Store, UserRecord, inout SessionRecord, Timestamp, borrowing WriteTransaction
            ) throws -> Result
    ) async throws(AccountsError) -> Result {
        let store = store
        let now = now
        let gate = FactorGate(self)
        try limiter.take(.signIn, client: client.address, configuration.limits, at: now)
        let outcome = try await store.writing { transaction -> Swift.Result<Result, AccountsError> in
            var (user, session) = try store.require(principal, at: now, in: transaction)
            guard try store.factorStanding(of: user.id, in: transaction).takesCodes else {
                throw AccountsError(.refused, "There is no authenticator: set one up first.")
            }
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
