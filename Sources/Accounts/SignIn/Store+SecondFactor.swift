internal import Core
internal import LMDB

extension Store {
    /// Decides whether a second factor is needed and holds the one that came against the account. Computed from all that
    /// the user has enrolled, for every way in (lesson 43).
    ///
    /// - Parameter signIn: its proof has the second factor afterwards, where one was given.
    /// - Returns: why the sign-in is not complete; nil: it is.
    func secondFactorRefusal(
        _ signIn: inout CompleteSignIn, of user: UserRecord, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> AccountsError? {
        guard signIn.proof.factors < 2 else { return nil }
        let standing = try factorStanding(of: user.id, in: transaction)
        guard standing.hasAny else {
            guard signIn.configuration.secondFactorIsRequired else { return nil }
            return try ask(signIn, of: user, need: .enrolment, standing, at: now, in: transaction)
        }
        // Backup codes run out: whoever has nothing else here sets something up first.
        let mustEnrol = signIn.configuration.secondFactorIsRequired && !standing.isLasting
        guard signIn.hasSecond else {
            if !mustEnrol, try isTrusted(signIn.client.deviceToken, of: user.id, signIn, at: now, in: transaction) {
                return nil
            }
            return try ask(signIn, of: user, need: .factor, standing, at: now, in: transaction)
        }
        if mustEnrol, signIn.face == .api {
            // On the pages only, so that the code is not used up for nothing.
            return try ask(signIn, of: user, need: .enrolment, standing, at: now, in: transaction)
        }
        if let passkey = signIn.passkey {
            if let refusal = try judge(passkey, &signIn, of: user, at: now, in: transaction) { return refusal }
            guard signIn.proof.factors >= 2 else {
                return try ask(signIn, of: user, need: .factor, standing, at: now, in: transaction)
            }
            return nil
        }
        let gate = FactorGate(store: self, policy: signIn.configuration.lockout)
        let verdict = try gate.judge(
            signIn.code ?? "", of: user, event: .signIn, client: signIn.client, at: now, in: transaction)
        switch verdict {
        case .right:
            signIn.proof = signIn.proof.withCode
            guard mustEnrol else { return nil }
            return try ask(signIn, of: user, need: .enrolment, standing, at: now, in: transaction)
        case .refused(let refusal):
            // An API client gives both at once, and is told no more than that one of them was wrong.
            return signIn.face == .api && refusal.code == .invalidCode ? .invalidCredentials : refusal
        }
    }

    /// The first proof alone is written down: somebody may know a password that is not theirs.
    private func ask(
        _ signIn: CompleteSignIn, of user: UserRecord, need: PartialSignIn.Need, _ standing: FactorStanding,
        at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> AccountsError {
        var partial: PartialSignIn?
        if case .page = signIn.face { partial = PartialSignIn(signIn, of: user, need: need, standing, at: now) }
        let refusal = AccountsError(
            twoFactorRequired: need == .factor
                ? "This account needs a second factor besides."
                : "A second factor is required here: sign in on the pages to set one up.", partial)
        try append(
            NewAuditEvent(
                .signIn, success: false, reason: refusal.code.reason, user: user.username, userID: user.id,
                metadata: ["method": .string(signIn.method)]),
            by: signIn.client.actor(user.username), at: now, in: transaction)
        return refusal
    }

    // MARK: Trusted devices

    private func isTrusted(
        _ token: String?, of userID: String, _ signIn: CompleteSignIn, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> Bool {
        guard let period = signIn.configuration.trustsDevicesFor, case .page = signIn.face,
            let digest = try knownDevice(token, of: userID, at: now, in: transaction),
            let since = try Tables.knownDevices.get(KeyPair(userID, digest), in: transaction)?.trustedSince
        else { return false }
        return since + period > now && since <= now + .seconds(60)
    }

    func trust(
        device digest: [UInt8], of userID: String, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let key = KeyPair(userID, digest)
        guard var record = try Tables.knownDevices.get(key, in: transaction), record.kind == .token else { return }
        record.trustedSince = now
        try Tables.knownDevices.put(record, for: key, in: transaction)
    }

    /// The browser of a session is asked for a second factor again.
    func distrustDevice(of session: SessionRecord, in transaction: borrowing WriteTransaction) throws {
        guard let digest = session.device.flatMap(Hexadecimal.decode) else { return }
        try distrust(KeyPair(session.userID, digest), in: transaction)
    }

    func distrustDevices(of userID: String, in transaction: borrowing WriteTransaction) throws {
        for key in try Tables.knownDevices.keys(prefix: KeyPair<String, [UInt8]>.prefix(userID), in: transaction) {
            try distrust(key, in: transaction)
        }
    }

    private func distrust(
        _ key: KeyPair<String, [UInt8]>, in transaction: borrowing WriteTransaction
    ) throws {
        guard var record = try Tables.knownDevices.get(key, in: transaction), record.trustedSince != nil else { return }
        record.trustedSince = nil
        try Tables.knownDevices.put(record, for: key, in: transaction)
    }
}
