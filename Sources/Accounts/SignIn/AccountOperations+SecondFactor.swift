internal import Core
internal import Cryptography
internal import LMDB

/// The second half of a sign-in on pages.
extension AccountOperations {
    /// Finishes a sign-in by a code.
    ///
    /// - Parameter trustsDevice: the browser is not asked again for as long as the operator allows.
    /// - Throws: `invalidCode`, `accountLocked`, `rateLimited`; `invalidToken` when it has to begin again.
    public func finishSignIn(
        _ partial: PartialSignIn, code: String, trustsDevice: Bool = false, from client: Client
    ) async throws(AccountsError) -> SignedIn {
        guard partial.need == .factor else { throw Self.needsEnrolment }
        let store = store
        let now = now
        try limiter.take(.signIn, client: client, method: partial.method, configuration.limits, at: now)
        var signIn = try resumed(partial, from: client)
        signIn.code = code
        signIn.trustsDevice = trustsDevice && configuration.trustsDevicesFor != nil
        let complete = signIn
        return try await store.writing { transaction in
            let user = try store.resume(partial, at: now, in: transaction)
            return try store.complete(complete, of: user, at: now, in: transaction)
        }.get()
    }

    /// Begins to set up the authenticator without which this sign-in cannot be finished.
    ///
    /// - Parameter link: the token of the link that the operator has had made.
    /// - Throws: `refused` for an account that has a factor already: its set-up is for those who have proved it
    ///   (lesson 84), and without the link where the operator has taken the factors away; `invalidToken`, `rateLimited`.
    public func setUpTOTP(
        _ partial: PartialSignIn, link: String? = nil, from client: Client
    ) async throws(AccountsError) -> TOTPSetUp {
        let store = store
        let now = now
        let issuer = configuration.siteName
        // By the client: somebody else who knows the password must not use up what the owner may.
        try limiter.take(.signIn, client: client, as: .factorSetUp, by: partial.userID, configuration.limits, at: now)
        let made = try materials(for: partial.userID, owner: partial.id, showsCodes: false, at: now)
        return try await store.writing { transaction in
            let user = try store.resumeEnrolment(partial, link: link, at: now, in: transaction)
            return try store.begin(
                made, of: user, issuer: issuer, by: client.actor(user.username), at: now, in: transaction)
        }
    }

    /// As ``pendingTOTP(of:)-(Principal)``, in the middle of a sign-in.
    public func pendingTOTP(of partial: PartialSignIn, link: String? = nil) throws(AccountsError) -> TOTPSetUp {
        let store = store
        let now = now
        let issuer = configuration.siteName
        return try store.read { transaction in
            let user = try store.resumeEnrolment(partial, link: link, at: now, in: transaction)
            return try store.pendingSetUp(of: user, by: partial.id, issuer: issuer, at: now, in: transaction)
        }
    }

    /// Makes the authenticator good by its first code and finishes the sign-in.
    ///
    /// - Returns: the session, and the backup codes to be shown this once.
    /// - Throws: as ``finishSignIn(_:code:trustsDevice:from:)``.
    public func finishEnrolment(
        _ partial: PartialSignIn, link: String? = nil, code: String, from client: Client
    ) async throws(AccountsError) -> (signedIn: SignedIn, backupCodes: [String]) {
        let store = store
        let now = now
        let gate = FactorGate(self)
        try limiter.take(.signIn, client: client, method: partial.method, configuration.limits, at: now)
        let codes = try BackupCodes.make(store.random, for: partial.userID)
        var signIn = try resumed(partial, from: client)
        signIn.proof = signIn.proof.withCode
        let complete = signIn
        let outcome = try await store.writing { transaction -> (SignInOutcome, [String]) in
            let user = try store.resumeEnrolment(partial, link: link, at: now, in: transaction)
            let verdict = try gate.activate(
                code, of: user, by: partial.id, event: .signIn, client: client, at: now, in: transaction)
            if case .refused(let refusal) = verdict { return (.refused(refusal), []) }
            let shown = try store.enrolled(codes, of: user, from: client, session: nil, at: now, in: transaction)
            return (try store.complete(complete, of: user, at: now, in: transaction), shown)
        }
        return (try outcome.0.get(), outcome.1)
    }

    func resumed(_ partial: PartialSignIn, from client: Client) throws(AccountsError) -> CompleteSignIn {
        CompleteSignIn(
            proof: partial.proof, face: .page(remember: partial.remember), client: client,
            kept: try KeptClient(client), materials: try SignInMaterials(store.random), configuration: configuration,
            method: partial.method, basis: partial.basis, federated: partial.federated,
            tokens: partial.tokens, provedAt: partial.provedAt)
    }

    private static let needsEnrolment = AccountsError(.refused, "There is no second factor yet: set one up first.")
}

extension Store {
    func resumeEnrolment(
        _ partial: PartialSignIn, link: String?, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> UserRecord {
        let user = try resume(partial, at: now, in: transaction)
        let standing = try factorStanding(of: user.id, in: transaction)
        // Whoever has backup codes and nothing else has given one.
        guard partial.need == .enrolment, !standing.isLasting, !standing.hasAny || partial.proof.factors >= 2 else {
            throw AccountsError(.refused, "This account has a second factor: give its code.")
        }
        try requireEnrolmentLink(
            link.flatMap(SecretText.digest(presented:)), of: user, besides: partial.proof, at: now, in: transaction)
        return user
    }
}
