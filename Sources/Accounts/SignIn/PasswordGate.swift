internal import Core
internal import Cryptography
internal import LMDB

/// The one way on which a person's password is checked: by page, by API, to prove oneself again, to change it.
///
/// ```
///   look up (one read) → locked? ──yes──────────────────────────────► refused, counted nowhere
///        │ no
///   hash (one run, against a dummy where there is nothing; where a registration waits, another against that)
///        │
///   one transaction: locked since? → wrong: count, lock, audit, mail  → refused
///                                  → right: what it was wanted for     → done
/// ```
///
/// Every step is the same for an identifier that nobody has.
struct PasswordGate {
    /// What a look-up found.
    struct Attempt: Sendable {
        /// Canonical, for counters.
        let identifier: String
        let userID: String?
        let hash: String?
        let subject: LockoutSubject
        let locked: Duration?
        let client: Client
        /// Of a registration that waits for its mail to be followed.
        var registrationHash: String?
        /// The password is that registration's, and not the account's.
        var isRegistrants = false
    }

    enum Verdict: Sendable {
        case right(UserRecord)
        case refused(AccountsError)
    }

    let store: Store
    let policy: LockoutPolicy

    func look(
        _ identifier: String, _ user: UserRecord?, _ client: Client, at now: Timestamp,
        in transaction: borrowing ReadTransaction
    ) throws -> Attempt {
        guard let user, !user.service else {
            let subject = LockoutSubject.stranger(identifier)
            return Attempt(
                identifier: identifier, userID: nil, hash: nil, subject: subject,
                locked: try store.lockRemaining(subject, policy, at: now, in: transaction), client: client)
        }
        var subject = LockoutSubject.user(user.id)
        if let device = try store.knownDevice(client.deviceToken, of: user.id, at: now, in: transaction) {
            subject = .device(userID: user.id, digest: device)
        }
        return Attempt(
            identifier: identifier, userID: user.id,
            hash: try Tables.passwords.get(user.id, in: transaction)?.hash, subject: subject,
            locked: try store.lockRemaining(subject, policy, at: now, in: transaction), client: client)
    }

    /// The end of an attempt, in the transaction of whatever it was for.
    ///
    /// - Parameters:
    ///   - event: what the audit log calls it.
    ///   - unlock: of the link that a mail about a lock gets.
    func judge(
        _ attempt: Attempt, _ verdict: PasswordVerdict, event: AuditEventType, unlock: SecretText, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> Verdict {
        let user = try attempt.userID.flatMap { try Tables.users.get($0, in: transaction) }
        // Others may have tried at the same moment: what they have brought about counts, even for the right password.
        if let wait = try store.lockRemaining(attempt.subject, policy, at: now, in: transaction) {
            let refusal = Self.locked(wait)
            try note(refusal, attempt, user, event, at: now, in: transaction)
            return .refused(refusal)
        }
        guard case .right(let upgrade) = verdict, let user,
            var password = try Tables.passwords.get(user.id, in: transaction), password.isStill(attempt.hash)
        else {
            // Counted all the same: what a registrant is told must not be a way to try passwords of the account.
            let refusal = attempt.isRegistrants ? AccountsError.emailNotVerified : .invalidCredentials
            try fail(attempt, user, event, refusal, unlock: unlock, at: now, in: transaction)
            return .refused(refusal)
        }
        if let refusal = try refusal(of: user, in: transaction) {
            try note(refusal, attempt, user, event, at: now, in: transaction)
            return .refused(refusal)
        }
        if let upgrade, password.hash == attempt.hash {
            password.upgrade(to: upgrade.text)
            try Tables.passwords.put(password, for: user.id, in: transaction)
        }
        try store.clearFailures(
            of: attempt.subject, from: attempt.client.addressClass, policy, at: now, in: transaction)
        return .right(user)
    }

    /// Why somebody with the right password is not let in.
    private func refusal(of user: UserRecord, in transaction: borrowing WriteTransaction) throws -> AccountsError? {
        if try store.isShutOut(user, in: transaction) {
            return AccountsError(.userDisabled, "This account is disabled: ask whoever runs this site.")
        }
        return nil
    }

    /// An attempt that came while a lock held.
    func refuseLocked(
        _ attempt: Attempt, for wait: Duration, event: AuditEventType, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let user = try attempt.userID.flatMap { try Tables.users.get($0, in: transaction) }
        try note(Self.locked(wait), attempt, user, event, at: now, in: transaction)
    }

    static func locked(_ wait: Duration) -> AccountsError {
        AccountsError(
            .accountLocked, "There were too many failed sign-ins: wait, or use the link that was mailed.",
            retryAfter: wait)
    }

    private func fail(
        _ attempt: Attempt, _ user: UserRecord?, _ event: AuditEventType, _ refusal: AccountsError, unlock: SecretText,
        at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let hasLocked = try store.countFailure(
            of: attempt.subject, from: attempt.client.addressClass, policy, at: now, in: transaction)
        try note(refusal, attempt, user, event, at: now, in: transaction)
        guard hasLocked else { return }
        try store.append(
            NewAuditEvent(
                .accountLocked, user: user?.username ?? Self.shown(attempt.identifier), userID: user?.id,
                metadata: ["minutes": .integer(policy.period.wholeMilliseconds / 60_000)]),
            by: attempt.client.actor(Self.actor(user)), at: now, in: transaction)
        guard let user, try !store.isShutOut(user, in: transaction) else { return }
        try mailUnlockLink(unlock, to: user, attempt.client, at: now, in: transaction)
    }

    private func mailUnlockLink(
        _ unlock: SecretText, to user: UserRecord, _ client: Client, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let end = now + policy.period
        try store.removeLinks(of: user.id, purposes: [.unlock], at: now, in: transaction)
        try store.insert(
            LinkRecord(
                purpose: .unlock, userID: user.id, epoch: user.epoch, email: user.canonicalEmail, createdAt: now,
                expiresAt: end), digest: unlock.digest, in: transaction)
        try store.mail(
            .accountLocked(
                link: store.url(of: .unlock, token: unlock.text),
                minutes: Int(policy.period.wholeMilliseconds / 60_000), client.occasion(at: now)),
            to: user, client, expiresAt: end, at: now, in: transaction)
    }

    private func note(
        _ refusal: AccountsError, _ attempt: Attempt, _ user: UserRecord?, _ event: AuditEventType, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        try store.append(
            NewAuditEvent(
                event, success: false, reason: refusal.code.reason,
                user: user?.username ?? Self.shown(attempt.identifier), userID: user?.id,
                metadata: ["method": .string("password")]),
            by: attempt.client.actor(Self.actor(user)), at: now, in: transaction)
    }

    private static func actor(_ user: UserRecord?) -> String { user?.username ?? "anonymous" }

    /// People type passwords where user names belong: only what is an address is written down.
    private static func shown(_ identifier: String) -> String? {
        EmailAddress(identifier) == nil ? nil : identifier
    }
}

extension PasswordGate.Verdict {
    /// Why it is refused, for whoever looks at what is not right.
    var refusal: AccountsError {
        switch self {
        case .refused(let refusal): refusal
        case .right: .invalidCredentials
        }
    }
}
