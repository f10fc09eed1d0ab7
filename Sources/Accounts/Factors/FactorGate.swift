internal import Core
internal import LMDB

/// The one way on which a code is checked: at a sign-in, to prove oneself again, to change a factor. Always in the
/// transaction of what it is for, so that of two with the same code at the same instant one wins.
///
/// ```
///   locked? ──yes──► refused
///      │ no
///   accepted before? no code of the user's? ──► counted, audited; the one too many locks and mails
///      │ no
///   the step is noted, or the backup code removed ──► right
/// ```
///
/// Its failures are counted for the account alone, whatever the spelling, the device or the address. Only a right code
/// clears them: a right password gives no new tries (lesson 63).
///
/// Whoever guesses so slowly that nothing locks is told of all the same: the third wrong code within a day mails the
/// owner, whose password is known to somebody. At most once a day, and a right code clears only those that came from the
/// same address class.
struct FactorGate {
    /// What a right code was.
    enum Code: String, Sendable {
        case totp
        case backup = "backup_code"
    }

    enum Verdict: Sendable {
        case right(Code)
        case refused(AccountsError)
    }

    /// So many wrong codes within a day are told to the owner.
    static let notice = LockoutPolicy(failures: 3, period: .seconds(86_400))

    /// Longer ones are no codes.
    private static let maximumBytes = 64

    let store: Store
    let policy: LockoutPolicy

    init(_ operations: AccountOperations) {
        self.init(store: operations.store, policy: operations.configuration.lockout)
    }

    init(store: Store, policy: LockoutPolicy) {
        self.store = store
        self.policy = policy
    }

    /// - Parameter event: what a refusal is in the audit log.
    func judge(
        _ text: String, of user: UserRecord, event: AuditEventType, client: Client, session: String? = nil,
        at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> Verdict {
        let occasion = Occasion(user: user, event: event, client: client, session: session, now: now)
        if let wait = try store.lockRemaining(.factor(userID: user.id), policy, at: now, in: transaction) {
            return try refuse(Self.locked(wait), reason: "account_locked", occasion, in: transaction)
        }
        let code = Self.bare(text)
        var reason = "invalid_code"
        if let record = try Tables.totp.get(user.id, in: transaction), record.isActive, code.utf8.count == record.digits
        {
            switch try accept(code, record, of: user.id, at: now, in: transaction) {
            case .accepted: return try right(.totp, occasion, in: transaction)
            case .replayed: reason = "code_replayed"
            case .wrong: break
            }
        } else if try useUp(code, occasion, in: transaction) {
            return try right(.backup, occasion, in: transaction)
        }
        return try fail(reason: reason, occasion, in: transaction)
    }

    /// A set-up that is to be proved: its first code counts as used.
    ///
    /// - Parameter owner: whoever has begun it.
    func activate(
        _ text: String, of user: UserRecord, by owner: String, event: AuditEventType, client: Client,
        session: String? = nil, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> Verdict {
        let occasion = Occasion(user: user, event: event, client: client, session: session, now: now)
        if let wait = try store.lockRemaining(.factor(userID: user.id), policy, at: now, in: transaction) {
            return try refuse(Self.locked(wait), reason: "account_locked", occasion, in: transaction)
        }
        guard var record = try store.pendingTOTP(of: user.id, by: owner, at: now, in: transaction) else {
            throw AccountsError(
                .refused, "There is no authenticator to be confirmed: set one up first.", .authenticatorMissing)
        }
        let code = Self.bare(text)
        guard code.utf8.count == record.digits,
            let step = try store.step(of: code, record, user: user.id, at: now)
        else { return try fail(reason: "invalid_code", isGuess: false, occasion, in: transaction) }
        record.activeSince = now
        record.lastStep = step
        record.lastUsedAt = now
        let digests = record.backupCodes
        record.backupCodes = nil
        try Tables.totp.put(record, for: user.id, in: transaction)
        if let digests {
            try Tables.backupCodes.put(
                BackupCodesRecord(digests: digests, createdAt: now), for: user.id, in: transaction)
        }
        return .right(.totp)
    }

    // MARK: Parts

    /// What all outcomes of one attempt share.
    private struct Occasion {
        let user: UserRecord
        let event: AuditEventType
        let client: Client
        let session: String?
        let now: Timestamp
    }

    private enum Acceptance {
        case accepted, replayed, wrong
    }

    private func accept(
        _ code: String, _ record: TOTPRecord, of userID: String, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> Acceptance {
        guard let step = try store.step(of: code, record, user: userID, at: now) else { return .wrong }
        if let last = record.lastStep, step <= last { return .replayed }
        var record = record
        record.lastStep = step
        record.lastUsedAt = now
        try Tables.totp.put(record, for: userID, in: transaction)
        return .accepted
    }

    private func useUp(
        _ code: String, _ occasion: Occasion, in transaction: borrowing WriteTransaction
    ) throws -> Bool {
        let user = occasion.user
        guard let digest = BackupCodes.digest(presented: code, of: user.id),
            var record = try Tables.backupCodes.get(user.id, in: transaction),
            let index = record.digests.firstIndex(of: digest)
        else { return false }
        record.digests.remove(at: index)
        try Tables.backupCodes.put(record, for: user.id, in: transaction)
        let left = record.digests.count
        try store.append(
            NewAuditEvent(
                .backupCodeUsed, user: user.username, userID: user.id, session: occasion.session,
                metadata: ["left": .integer(Int64(left))]),
            by: occasion.client.actor(user.username, session: occasion.session), at: occasion.now, in: transaction)
        let told = occasion.client.occasion(at: occasion.now)
        try store.mail(
            .backupCodeUsed(left: left, told), to: user, occasion.client, at: occasion.now, in: transaction)
        if left <= BackupCodes.few {
            try store.mail(
                .fewBackupCodes(left: left), to: user, occasion.client, at: occasion.now, in: transaction)
        }
        return true
    }

    private func right(
        _ code: Code, _ occasion: Occasion, in transaction: borrowing WriteTransaction
    ) throws -> Verdict {
        try Tables.lockouts.delete(LockoutSubject.factor(userID: occasion.user.id).key, in: transaction)
        try store.clearFailures(
            of: .wrongCodes(userID: occasion.user.id), from: occasion.client.addressClass, Self.notice,
            at: occasion.now, in: transaction)
        return .right(code)
    }

    /// - Parameter isGuess: false for the first code of an authenticator that is being set up.
    private func fail(
        reason: String, isGuess: Bool = true, _ occasion: Occasion, in transaction: borrowing WriteTransaction
    ) throws -> Verdict {
        let user = occasion.user
        let isToBeTold =
            try isGuess
            && store.countFailure(
                of: .wrongCodes(userID: user.id), from: occasion.client.addressClass, Self.notice, at: occasion.now,
                in: transaction)
        let hasLocked = try store.countFailure(
            of: .factor(userID: user.id), from: occasion.client.addressClass, policy, at: occasion.now,
            in: transaction)
        if hasLocked {
            let minutes = policy.period.wholeMilliseconds / 60_000
            try store.append(
                NewAuditEvent(
                    .accountLocked, user: user.username, userID: user.id,
                    metadata: ["minutes": .integer(minutes), "of": .string("second_factor")]),
                by: occasion.client.actor(user.username, session: occasion.session), at: occasion.now,
                in: transaction)
            // Without a link that lifts it: whoever has got this far may read the mailbox too.
            try store.mail(
                .codesLocked(minutes: Int(minutes), occasion.client.occasion(at: occasion.now)), to: user,
                occasion.client, at: occasion.now, in: transaction)
        } else if isToBeTold {
            try store.mail(
                .wrongCodes(occasion.client.occasion(at: occasion.now)), to: user, occasion.client, at: occasion.now,
                in: transaction)
        }
        return try refuse(.invalidCode, reason: reason, occasion, in: transaction)
    }

    private func refuse(
        _ refusal: AccountsError, reason: String, _ occasion: Occasion, in transaction: borrowing WriteTransaction
    ) throws -> Verdict {
        let user = occasion.user
        try store.append(
            NewAuditEvent(
                occasion.event, success: false, reason: reason, user: user.username, userID: user.id,
                session: occasion.session, metadata: ["method": .string("code")]),
            by: occasion.client.actor(user.username, session: occasion.session), at: occasion.now, in: transaction)
        return .refused(refusal)
    }

    private static func locked(_ wait: Duration) -> AccountsError {
        AccountsError(.accountLocked, "There were too many wrong codes: wait, then try again.", retryAfter: wait)
    }

    /// As people type them: with blanks or dashes between groups.
    private static func bare(_ text: String) -> String {
        guard text.utf8.count <= maximumBytes else { return "" }
        return String(
            decoding: text.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "-") }, as: UTF8.self)
    }
}

extension Store {
    /// A set-up that waits for its first code.
    ///
    /// - Parameter owner: whoever has begun it; somebody else's is none.
    func pendingTOTP(
        of userID: String, by owner: String, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> TOTPRecord? {
        guard let record = try Tables.totp.get(userID, in: transaction), !record.isActive,
            record.owner == owner, record.createdAt + TOTPRecord.setUpLifetime > now,
            record.createdAt <= now + .seconds(60)
        else { return nil }
        return record
    }
}
