public import Core
internal import Cryptography
internal import LMDB

extension AccountOperations {
    /// Signs in with a password.
    ///
    /// - Parameters:
    ///   - identifier: a user name or an e-mail address, in any spelling.
    ///   - password: UTF-8 as typed.
    ///   - code: of a second factor, where it comes together with the password.
    ///   - passkey: the second factor of a program, in place of a code.
    /// - Throws: `invalidCredentials`, `accountLocked` and `rateLimited` alike for those that nobody has;
    ///   `emailNotVerified`, `userDisabled` and `twoFactorRequired` only after the right password; `refused` where
    ///   there are no passwords.
    public func signIn(
        _ identifier: String, password: SecretBytes, code: String? = nil, passkey: PasskeyProof? = nil,
        as face: SignInFace, from client: Client
    ) async throws(AccountsError) -> SignedIn {
        try requirePasswords()
        let identifier = try Self.checked(
            identifier, what: "user name or e-mail address", missing: .identifierMissing, malformed: .identifierMissing)
        let kept = try KeptClient(client)
        let now = now
        let store = store
        try limiter.take(.signIn, client: client, method: "password", configuration.limits, at: now)
        let presented = try presented(passkey, besides: code, at: now)
        let gate = PasswordGate(store: store, policy: configuration.lockout)
        let looked = try store.read { transaction in
            let user = try store.find(signingIn: identifier, in: transaction)
            var attempt = try gate.look(Store.canonical(identifier), user, client, at: now, in: transaction)
            attempt.registrationHash = try store.registrationHash(
                attempt.identifier, at: now, in: transaction)
            return attempt
        }
        try await refuseIfLocked(looked, gate, event: .signIn, at: now)
        let verdict = try await verify(password, against: looked.hash, from: client)
        let attempt = await comparingRegistration(looked, verdict, password)
        let materials = try SignInMaterials(store.random)
        var signIn = CompleteSignIn(
            proof: .password, face: face, client: client, kept: kept, materials: materials,
            configuration: configuration, method: "password", code: code, passkey: presented)
        if case .right = verdict, let id = attempt.userID { try sign(&signIn, for: id, at: now) }
        let complete = signIn
        let outcome = try await store.writing { transaction -> SignInOutcome in
            let judged = try gate.judge(
                attempt, verdict, event: .signIn, unlock: materials.unlock, at: now, in: transaction)
            switch judged {
            case .refused(let refusal): return .refused(refusal)
            case .right(let user):
                var signIn = complete
                signIn.basis = .password(hash: try Tables.passwords.get(user.id, in: transaction)?.hash ?? "")
                return try store.complete(signIn, of: user, at: now, in: transaction)
            }
        }
        return try outcome.get()
    }

    /// Compares a password that is not the account's with that of a registration. Whether there is an account makes no
    /// difference to it. It never fails: the guess was wrong by now, and is counted even where nothing is compared.
    private func comparingRegistration(
        _ attempt: PasswordGate.Attempt, _ verdict: PasswordVerdict, _ password: SecretBytes
    ) async -> PasswordGate.Attempt {
        guard case .wrong = verdict, let hash = attempt.registrationHash else { return attempt }
        var attempt = attempt
        if case .right? = try? await verify(password, against: hash, from: attempt.client) {
            attempt.isRegistrants = true
        }
        return attempt
    }

    /// Signs the access token that an API client gets, as it will be if the second factor that came is right.
    func sign(_ signIn: inout CompleteSignIn, for userID: String, at now: Timestamp) throws(AccountsError) {
        guard signIn.face == .api else { return }
        var proof = signIn.proof
        if signIn.hasSecond, proof.factors < 2 {
            let store = store
            let hasAny = try store.read { try store.factorStanding(of: userID, in: $0).hasAny }
            if hasAny { proof = signIn.passkey.map { proof.withPasskey($0.head) } ?? proof.withCode }
        }
        signIn.accessToken = try store.signAccessToken(
            userID, session: signIn.materials.sessionID, proof: proof,
            authenticatedAt: signIn.authenticatedAt(proof, at: now), from: now,
            until: now + configuration.tokens.accessLifetime)
    }

    func refuseIfLocked(
        _ attempt: PasswordGate.Attempt, _ gate: PasswordGate, event: AuditEventType, at now: Timestamp
    ) async throws(AccountsError) {
        guard let wait = attempt.locked else { return }
        try await store.writing { transaction in
            try gate.refuseLocked(attempt, for: wait, event: event, at: now, in: transaction)
        }
        throw PasswordGate.locked(wait)
    }

    /// Lifts the lock of an account, or of a device of its own, by the link that was mailed when it began.
    ///
    /// - Throws: `invalidToken`.
    public func unlock(_ token: String, from client: Client) async throws(AccountsError) {
        let digest = try Self.digest(token)
        let now = now
        let store = store
        try limiter.take(.signIn, client: client, as: .accountUnlocked, configuration.limits, at: now)
        try await store.writing { transaction in
            let (link, user) = try store.usableLink(digest, for: [.unlock], at: now, in: transaction)
            try store.removeLink(link, digest: digest, in: transaction)
            try store.unlock(
                user, withFactors: false, by: client.actor(user.username), at: now, in: transaction)
        }
    }
}

extension Store {
    /// The account that signs in by this user name or address. Ids are no names to sign in by.
    func find(
        signingIn identifier: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> UserRecord? {
        if let name = try Tables.usersByName.get(UserName.folded(identifier), in: transaction), name.current {
            return try Tables.users.get(name.userID, in: transaction)
        }
        guard let email = EmailAddress(identifier) else { return nil }
        return try findUser(email: email, in: transaction)
    }

    /// What all spellings of an identifier share, for counters (lessons 13 and 14).
    static func canonical(_ identifier: String) -> String {
        EmailAddress(identifier)?.canonical ?? UserName.folded(identifier)
    }

    /// Lifts the lock of an account and of the devices that it is known by (`user unlock`).
    ///
    /// - Returns: whether anything of it was locked.
    /// - Throws: `notFound`.
    public func unlockUser(_ selector: String, by actor: AuditActor) throws(AccountsError) -> Bool {
        let now = clock.now()
        return try write { transaction in
            let user = try self.require(user: selector, in: transaction)
            return try self.unlock(user, by: actor, at: now, in: transaction)
        }
    }

    /// - Parameter withFactors: also the lock on codes. A mailed link leaves that one alone.
    @discardableResult
    func unlock(
        _ user: UserRecord, withFactors: Bool = true, by actor: AuditActor,
        at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> Bool {
        // Also what was counted for its names before they were its own, or while it did not exist.
        var subjects: [LockoutSubject] = [
            .user(user.id), .stranger(user.canonicalEmail), .stranger(Self.canonical(user.username)),
        ]
        // Most who are locked out have mistyped it on their own device, which locks that alone.
        let prefix = KeyPair<String, [UInt8]>.prefix(user.id)
        subjects += try Tables.knownDevices.keys(prefix: prefix, in: transaction)
            .map { .device(userID: user.id, digest: $0.second) }
        if withFactors { subjects += [.factor(userID: user.id), .wrongCodes(userID: user.id)] }
        var wasLocked = false
        for subject in subjects {
            guard let record = try Tables.lockouts.get(subject.key, in: transaction) else { continue }
            if record.lockedUntil.map({ $0 > now }) ?? false { wasLocked = true }
            try Tables.lockouts.delete(subject.key, in: transaction)
        }
        try append(
            NewAuditEvent(
                .accountUnlocked, user: user.username, userID: user.id, metadata: ["was_locked": .boolean(wasLocked)]),
            by: actor, at: now, in: transaction)
        return wasLocked
    }
}
