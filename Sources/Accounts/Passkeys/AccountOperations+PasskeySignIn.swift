internal import Core
internal import Cryptography
internal import LMDB

/// Proofs by a passkey: alone, as second factor, and in a session.
extension AccountOperations {
    /// What a browser is told to sign in by any passkey that it has for this site; JSON.
    public func beginPasskeySignIn() throws(AccountsError) -> [UInt8] {
        try requirePasskeys()
        let challenge = try store.passkeyChallenges.issue(.signIn, store.random, at: now)
        return PasskeyOptions.request(challenge, allowing: [], configuration.passkeys)
    }

    /// What a browser is told to finish a sign-in by one of the user's passkeys; nil where there is none.
    public func beginPasskeyProof(_ partial: PartialSignIn) throws(AccountsError) -> [UInt8]? {
        guard configuration.passkeys.isEnabled, partial.need == .factor else { return nil }
        let known = try knownPasskeys(of: partial.userID)
        guard !known.isEmpty else { return nil }
        let challenge = try store.passkeyChallenges.issue(.factor(signIn: partial.id), store.random, at: now)
        return PasskeyOptions.request(challenge, allowing: known, configuration.passkeys)
    }

    /// What a browser is told to prove once more who is there; nil where there is no passkey.
    public func beginPasskeyProof(_ principal: Principal) throws(AccountsError) -> [UInt8]? {
        guard configuration.passkeys.isEnabled else { return nil }
        let known = try knownPasskeys(of: principal.userID)
        guard !known.isEmpty else { return nil }
        let challenge = try store.passkeyChallenges.issue(.proof(session: principal.session), store.random, at: now)
        return PasskeyOptions.request(challenge, allowing: known, configuration.passkeys)
    }

    private func knownPasskeys(of userID: String) throws(AccountsError) -> [PasskeyRecord] {
        let store = store
        return try store.read { try store.passkeys(of: userID, in: $0).map(\.record) }
    }

    /// Signs in by a passkey that says itself whose it is.
    ///
    /// - Throws: `invalidCredentials` for whatever is wrong with it; `twoFactorRequired` when it has not verified who
    ///   holds it and the account has another factor; `userDisabled`.
    public func signIn(
        passkey: PasskeyProof, code: String? = nil, as face: SignInFace, from client: Client
    ) async throws(AccountsError) -> SignedIn {
        try requirePasskeys()
        guard let head = AuthenticatorData(passkey.authenticatorData) else { throw AccountsError.invalidPasskey }
        let store = store
        let now = now
        try limiter.take(.signIn, client: client, method: "passkey", configuration.limits, at: now)
        let gate = PasskeyGate(store: store, policy: configuration.passkeys)
        let isGood = takes(passkey, .signIn, at: now)
        let digest = SHA256.digest(passkey.credentialID).bytes
        var signIn = CompleteSignIn(
            proof: .passkey(head), face: face, client: client, kept: try KeptClient(client),
            materials: try SignInMaterials(store.random), configuration: configuration, method: "passkey",
            basis: .passkey(digest: digest), code: code)
        if let owner = try store.read({ try Tables.passkeys.get(digest, in: $0)?.userID }) {
            try sign(&signIn, for: owner, at: now)
        }
        let complete = signIn
        return try await store.writing { transaction -> SignInOutcome in
            switch try gate.judge(passkey, challenge: isGood, owner: nil, at: now, in: transaction) {
            case .failure(let refusal):
                let owner = try Tables.passkeys.get(digest, in: transaction)
                    .flatMap { try Tables.users.get($0.userID, in: transaction) }
                try gate.note(refusal, .signIn, user: owner, client: client, at: now, in: transaction)
                return .refused(.invalidPasskey)
            case .success(let right):
                if let refusal = try store.passkeyRefusal(of: right.user, client, at: now, in: transaction) {
                    return .refused(refusal)
                }
                return try store.complete(complete, of: right.user, at: now, in: transaction)
            }
        }.get()
    }

    /// Finishes a sign-in by a passkey of the same user.
    ///
    /// - Throws: `invalidCredentials`; `invalidToken` when it has to begin again.
    public func finishSignIn(
        _ partial: PartialSignIn, passkey: PasskeyProof, trustsDevice: Bool = false, from client: Client
    ) async throws(AccountsError) -> SignedIn {
        try requirePasskeys()
        guard partial.need == .factor else {
            throw AccountsError(.refused, "There is no second factor yet: set one up first.")
        }
        let store = store
        let now = now
        try limiter.take(.signIn, client: client, method: partial.method, configuration.limits, at: now)
        let gate = PasskeyGate(store: store, policy: configuration.passkeys)
        let isGood = takes(passkey, .factor(signIn: partial.id), at: now)
        var signIn = try resumed(partial, from: client)
        signIn.trustsDevice = trustsDevice && configuration.trustsDevicesFor != nil
        let begun = signIn
        return try await store.writing { transaction -> SignInOutcome in
            let user = try store.resume(partial, at: now, in: transaction)
            switch try gate.judge(passkey, challenge: isGood, owner: user.id, at: now, in: transaction) {
            case .failure(let refusal):
                try gate.note(refusal, .signIn, user: user, client: client, at: now, in: transaction)
                return .refused(.invalidPasskey)
            case .success(let right):
                var complete = begun
                complete.proof = begun.proof.withPasskey(right.head)
                return try store.complete(complete, of: user, at: now, in: transaction)
            }
        }.get()
    }

    /// Proves once more who is there, by a passkey.
    ///
    /// - Returns: the new cookies; nil for an API client.
    /// - Throws: `invalidCredentials`, `rateLimited`.
    public func reauthenticate(
        _ principal: Principal, passkey: PasskeyProof, from client: Client
    ) async throws(AccountsError) -> SessionSecrets? {
        try requirePasskeys()
        let store = store
        let now = now
        try limiter.take(
            .signIn, client: client, as: .reauthenticated, by: principal.userID, configuration.limits, at: now)
        let gate = PasskeyGate(store: store, policy: configuration.passkeys)
        // API clients have one operation that hands challenges out.
        let isGood =
            takes(passkey, .proof(session: principal.session), at: now)
            || !principal.usesCookie && takes(passkey, .signIn, at: now)
        let secrets = try NewSessionSecrets(store.random)
        let outcome = try await store.writing { transaction -> Result<SessionSecrets?, AccountsError> in
            var (user, session) = try store.require(principal, at: now, in: transaction)
            switch try gate.judge(passkey, challenge: isGood, owner: user.id, at: now, in: transaction) {
            case .failure(let refusal):
                try gate.note(
                    refusal, .reauthenticated, user: user, client: client, session: session.id, at: now,
                    in: transaction)
                return .failure(.invalidPasskey)
            case .success(let right):
                session.prove(
                    Proof(amr: session.amr, factors: session.factors).withPasskey(right.head), at: now)
                return .success(
                    try store.reauthenticated(
                        user, by: "passkey", in: &session, secrets, from: client, at: now, in: transaction))
            }
        }
        return try outcome.get()
    }

    func takes(_ passkey: PasskeyProof, _ purpose: PasskeyChallenges.Purpose, at now: Timestamp) -> Bool {
        guard let challenge = WebAuthnVerifier.challenge(in: passkey.clientData) else { return false }
        return store.passkeyChallenges.take(challenge, purpose, at: now)
    }
}

extension AccountsError {
    static let invalidPasskey = AccountsError(.invalidCredentials, "The passkey was not accepted.")
}

extension Store {
    /// Why somebody with the right passkey is not let in.
    func passkeyRefusal(
        of user: UserRecord, _ client: Client, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> AccountsError? {
        guard try isShutOut(user, in: transaction) || user.service else { return nil }
        let refusal = AccountsError(.userDisabled, "This account is disabled: ask whoever runs this site.")
        try append(
            NewAuditEvent(
                .signIn, success: false, reason: refusal.code.reason, user: user.username, userID: user.id,
                metadata: ["method": .string("passkey")]),
            by: client.actor(user.username), at: now, in: transaction)
        return refusal
    }
}
