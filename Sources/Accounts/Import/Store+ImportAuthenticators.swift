internal import Core
internal import Cryptography
internal import LMDB

/// A line of a file that has authenticators and no accounts.
public struct ImportedFactor: Sendable, Equatable {
    public var line: Int
    /// The user name (or e-mail address) of an account that is here.
    public var user: String
    public var authenticator: ImportedAuthenticator

    /// All fields, named as they are.
    public init(line: Int, user: String, authenticator: ImportedAuthenticator) {
        self.line = line
        self.user = user
        self.authenticator = authenticator
    }
}

extension Store {
    /// Gives accounts that are here the authenticators that they had in another system. To run it again changes nothing
    /// more: whoever has one here keeps that, and where one was taken away since, none comes back.
    ///
    /// - Throws: `noMasterKey`, since secrets are sealed.
    public func importAuthenticators(
        _ lines: [Result<ImportedFactor, ImportFlaw>], isDryRun: Bool, by actor: AuditActor,
        progress: (Int) -> Void = { _ in }
    ) throws(AccountsError) -> ImportReport {
        _ = try masterKeys()
        var report = ImportReport(isDryRun: isDryRun)
        var seen: [String: Int] = [:]
        var done = 0
        while done < lines.count {
            let end = min(done + Self.batchSize, lines.count)
            let batch = Array(lines[done..<end])
            let before = seen
            let (outcomes, after) = try undoable(isDryRun) { transaction in
                var seen = before
                let outcomes = try batch.map { line in
                    try self.importFactor(line, &seen, by: actor, in: transaction)
                }
                return (outcomes, seen)
            }
            report.outcomes += outcomes
            seen = after
            done = end
            progress(done)
        }
        if !isDryRun { try noteImport(report, by: actor) }
        return report
    }

    private func importFactor(
        _ line: Result<ImportedFactor, ImportFlaw>, _ seen: inout [String: Int], by actor: AuditActor,
        in transaction: borrowing WriteTransaction
    ) throws -> ImportOutcome {
        let entry: ImportedFactor
        switch line {
        case .failure(let flaw):
            return ImportOutcome(line: flaw.line, user: nil, outcome: .skipped, reason: flaw.reason)
        case .success(let read): entry = read
        }
        func outcome(_ kind: ImportOutcome.Kind, _ reason: String?) -> ImportOutcome {
            ImportOutcome(line: entry.line, user: entry.user, outcome: kind, reason: reason)
        }
        let user: UserRecord
        do {
            user = try require(user: entry.user, in: transaction)
        } catch let error as AccountsError where error.code == .notFound {
            return outcome(.skipped, "there is no such account here")
        }
        // A second line for the same account would be held against the first.
        if let first = seen.updateValue(entry.line, forKey: user.id) {
            return outcome(.skipped, "line \(first) has this user already")
        }
        guard !user.service else { return outcome(.skipped, "it is a service account here") }
        switch try standing(of: entry.authenticator, for: user, in: transaction) {
        case .same: return outcome(.unchanged, nil)
        case .refused(let reason): return outcome(.skipped, reason)
        case .new:
            let now = clock.now()
            try take(entry.authenticator, for: user, by: actor, at: now, in: transaction)
            try mail(.factorAdded(.totp, MailOccasion(at: now)), to: user, Client(), at: now, in: transaction)
            return outcome(.changed, "authenticator")
        }
    }

    /// What there is of an authenticator that another system had.
    enum ImportStanding: Equatable {
        case new
        /// It is here already.
        case same
        case refused(String)
    }

    func standing(
        of authenticator: ImportedAuthenticator, for user: UserRecord,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> ImportStanding {
        if let record = try Tables.totp.get(user.id, in: transaction), record.isActive {
            let secret = try secret(of: record, user: user.id).withUnsafeBytes { Array($0) }
            let isSame =
                constantTimeEquals(secret.span, authenticator.secret.span)
                && record.algorithm == authenticator.algorithm.rawValue && record.digits == authenticator.digits
                && record.period == authenticator.period
            return isSame ? .same : .refused("it has another authenticator here, which stays")
        }
        guard user.enrolsByLink != true else {
            return .refused("its factors were reset: it sets up a new one by the link")
        }
        guard try Tables.meta.get(MetaRecord.importedAuthenticator(of: user.id), in: transaction) == nil else {
            return .refused("its authenticator was imported before and taken away since")
        }
        return .new
    }

    /// Makes it the account's authenticator, good at once: it was proved in the other system. Without the mail, which
    /// an account does not need that is new itself.
    func take(
        _ authenticator: ImportedAuthenticator, for user: UserRecord, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let sealed = try masterKeys().seal(authenticator.secret, in: .totpSecret, key: user.id)
        var record = TOTPRecord(
            sealed: Base64.encode(sealed), algorithm: authenticator.algorithm.rawValue, digits: authenticator.digits,
            period: authenticator.period, createdAt: now, activeSince: now)
        if let used = authenticator.lastUsedAt {
            record.lastUsedAt = min(used, now)
            record.lastStep = try authenticator.password().step(at: min(used, now))
        }
        try Tables.totp.put(record, for: user.id, in: transaction)
        try Tables.meta.put(
            MetaRecord(at: now), for: MetaRecord.importedAuthenticator(of: user.id), in: transaction)
        try append(
            NewAuditEvent(
                .factorAdded, user: user.username, userID: user.id,
                metadata: ["factor": .string("totp"), "imported": .boolean(true)]),
            by: actor, at: now, in: transaction)
    }
}
