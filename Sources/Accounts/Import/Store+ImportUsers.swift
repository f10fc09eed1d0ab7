internal import Core
internal import Cryptography
internal import LMDB

extension Store {
    /// Takes over accounts from another system, at most 1,000 lines a transaction. Authenticators come with them, for
    /// which the store has to be open with the master key. To run it again changes nothing more: a password that its
    /// user has changed since is left alone, and so is what the operator has disabled.
    ///
    /// - Parameters:
    ///   - lines: of ``ImportFormat/read(_:)``.
    ///   - progress: gets how many lines are done.
    public func importUsers(
        _ lines: [Result<ImportedAccount, ImportFlaw>], _ options: ImportOptions, by actor: AuditActor,
        progress: (Int) -> Void = { _ in }
    ) throws(AccountsError) -> ImportReport {
        var report = ImportReport(isDryRun: options.isDryRun)
        var seen: [String: Int] = [:]
        var done = 0
        while done < lines.count {
            let end = min(done + Self.batchSize, lines.count)
            var batch: [Result<CheckedAccount, ImportFlaw>] = []
            for line in lines[done..<end] { batch.append(Self.check(line, &seen)) }
            report.outcomes += try importBatch(batch, options, by: actor)
            done = end
            progress(done)
        }
        try disableAsSaid(lines, options, &report, by: actor)
        if !options.isDryRun { try noteImport(report, by: actor) }
        return report
    }

    /// One event for the whole, beside those of each account.
    func noteImport(_ report: ImportReport, by actor: AuditActor) throws(AccountsError) {
        // To run it again changes nothing, and says nothing.
        guard [.new, .changed, .disabled].contains(where: { report.count($0) > 0 }) else { return }
        let metadata = Dictionary(
            uniqueKeysWithValues: ImportOutcome.Kind.allCases.map { kind in
                (kind.rawValue, AuditValue.integer(Int64(report.count(kind))))
            })
        try recordEvent(NewAuditEvent(.usersImported, metadata: metadata), by: actor)
    }

    /// A second line for the same address or name would undo the first each time.
    private static func check(
        _ line: Result<ImportedAccount, ImportFlaw>, _ seen: inout [String: Int]
    ) -> Result<CheckedAccount, ImportFlaw> {
        do throws(ImportFlaw) {
            let account = try CheckedAccount(try line.get())
            for key in Set([account.email.canonical, UserName.folded(account.username)]) {
                if let first = seen[key] {
                    throw ImportFlaw(line: account.line, reason: "line \(first) has this user already")
                }
            }
            seen[account.email.canonical] = account.line
            seen[UserName.folded(account.username)] = account.line
            return .success(account)
        } catch {
            return .failure(error)
        }
    }

    private struct DryRun<Outcome: Sendable>: Error {
        let outcome: Outcome
    }

    private func importBatch(
        _ batch: [Result<CheckedAccount, ImportFlaw>], _ options: ImportOptions, by actor: AuditActor
    ) throws(AccountsError) -> [ImportOutcome] {
        let now = clock.now()
        var ids: [String] = []
        for _ in batch { ids.append(try random.id("usr")) }
        let newIDs = ids
        return try undoable(options.isDryRun) { transaction in
            var outcomes: [ImportOutcome] = []
            for (line, id) in zip(batch, newIDs) {
                switch line {
                case .failure(let flaw):
                    outcomes.append(
                        ImportOutcome(line: flaw.line, user: nil, outcome: .skipped, reason: flaw.reason))
                case .success(let account):
                    outcomes.append(
                        try self.importOne(account, id: id, options, by: actor, at: now, in: transaction))
                }
            }
            return outcomes
        }
    }

    /// Runs `body` in a write transaction, on the real store; a dry run undoes it.
    func undoable<Outcome: Sendable>(
        _ isDryRun: Bool, _ body: @escaping @Sendable (borrowing WriteTransaction) throws -> Outcome
    ) throws(AccountsError) -> Outcome {
        do {
            return try environment.writeAndWait { transaction in
                let outcome = try body(transaction)
                if isDryRun { throw DryRun(outcome: outcome) }
                return outcome
            }
        } catch let dry as DryRun<Outcome> {
            return dry.outcome
        } catch {
            throw .wrapping(error)
        }
    }

    private func importOne(
        _ account: CheckedAccount, id: String, _ options: ImportOptions, by actor: AuditActor, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> ImportOutcome {
        func outcome(_ kind: ImportOutcome.Kind, _ reason: String? = nil) -> ImportOutcome {
            ImportOutcome(line: account.line, user: account.username, outcome: kind, reason: reason)
        }
        if let known = try findUser(email: account.email, in: transaction) {
            return try importOver(known, account, options, by: actor, at: now, in: transaction)
        }
        let folded = UserName.folded(account.username)
        if try Tables.usersByName.get(folded, in: transaction) != nil {
            return outcome(.skipped, "the user name is, or was, another account's")
        }
        if let address = EmailAddress(account.username), address != account.email,
            try findUser(email: address, in: transaction) != nil
        {
            return outcome(.skipped, "the user name is another account's e-mail address")
        }
        if try Tables.usersByName.get(account.email.canonical, in: transaction)?.current == true {
            return outcome(.skipped, "the e-mail address is another account's user name")
        }
        let user = UserRecord(
            id: id, email: account.email.description, username: account.username, name: account.name ?? "",
            groups: account.groups ?? [], service: false, disabled: false, epoch: 1, createdAt: now,
            language: account.language)
        try Tables.users.put(user, for: id, in: transaction)
        try Tables.usersByEmail.put(ReferenceRecord(id), for: account.email.canonical, in: transaction)
        try Tables.usersByName.put(NameRecord(userID: id, current: true), for: folded, in: transaction)
        try inheritFailures(user, at: now, in: transaction)
        if let hash = account.passwordHash { try put(imported: hash, of: id, at: now, in: transaction) }
        try append(
            NewAuditEvent(
                .userAdded, user: user.username, userID: id,
                metadata: [
                    "email": .string(user.email), "groups": .strings(user.groups), "imported": .boolean(true),
                    "service": .boolean(false),
                ]), by: actor, at: now, in: transaction)
        // With the account and not after it: at no moment does its password alone sign in.
        if let authenticator = account.authenticator {
            try take(authenticator, for: user, by: actor, at: now, in: transaction)
        }
        // Likewise: whatever ends the import, nobody comes in who was kept out before.
        guard account.disabled else {
            let isBlocked = try isShutOut(user, in: transaction)
            return outcome(.new, isBlocked ? "its address is blocked: `gatehouse block remove` lets it in" : nil)
        }
        _ = try disable(user, by: actor, at: now, in: transaction)
        return outcome(.new, "it is disabled")
    }

    private func importOver(
        _ known: UserRecord, _ account: CheckedAccount, _ options: ImportOptions, by actor: AuditActor,
        at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> ImportOutcome {
        var user = known
        var changes: [String] = []
        if let name = account.name, name != user.name {
            user.name = name
            changes.append("name")
        }
        if let groups = account.groups, groups != user.groups {
            user.groups = groups
            changes.append("groups")
        }
        // Whoever has signed in on a page has one of their own.
        if let language = account.language, user.language == nil {
            user.language = language
            changes.append("language")
        }
        var newHash: String?
        if let hash = account.passwordHash {
            let stored = try Tables.passwords.get(user.id, in: transaction)
            // Whoever has chosen a password since keeps it; an import that brings the same hash changes nothing.
            if stored == nil || stored?.imported.map({ $0 != SHA256.digest(hash).hex }) == true {
                newHash = hash
                changes.append("password")
            }
        }
        func outcome(_ kind: ImportOutcome.Kind, _ reason: String?) -> ImportOutcome {
            ImportOutcome(line: account.line, user: user.username, outcome: kind, reason: reason)
        }
        var newAuthenticator: ImportedAuthenticator?
        var remark: String?
        if let authenticator = account.authenticator, !user.service {
            switch try standing(of: authenticator, for: user, in: transaction) {
            case .same: break
            case .refused(let reason): remark = reason
            case .new:
                newAuthenticator = authenticator
                changes.append("authenticator")
            }
        }
        if changes.isEmpty { return outcome(.unchanged, remark) }
        guard !user.service else { return outcome(.skipped, "it is a service account here") }
        guard options.updates else {
            return outcome(.skipped, "it exists with another \(changes.joined(separator: ", ")): --update takes it")
        }
        try Tables.users.put(user, for: user.id, in: transaction)
        if let newHash {
            try put(imported: newHash, of: user.id, at: now, in: transaction)
            _ = try endSessions(of: user, except: nil, at: now, in: transaction)
            // As with every new password: what was asked for under the old one ends with it.
            try removeLinks(of: user.id, at: now, in: transaction)
            try forgetDevices(of: user.id, in: transaction)
        }
        try append(
            NewAuditEvent(
                .userUpdated, user: user.username, userID: user.id,
                metadata: ["changed": .strings(changes), "imported": .boolean(true), "groups": .strings(user.groups)]),
            by: actor, at: now, in: transaction)
        if let newAuthenticator {
            try take(newAuthenticator, for: user, by: actor, at: now, in: transaction)
            try mail(.factorAdded(.totp, MailOccasion(at: now)), to: user, Client(), at: now, in: transaction)
        }
        let changed = changes.joined(separator: ", ")
        return outcome(.changed, remark.map { "\(changed); \($0)" } ?? changed)
    }

    private func put(
        imported hash: String, of userID: String, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        var record = PasswordRecord(hash: hash, changedAt: now)
        record.imported = SHA256.digest(hash).hex
        try Tables.passwords.put(record, for: userID, in: transaction)
    }

    /// Accounts that were there before: those that the file says are disabled, and those that it does not have.
    private func disableAsSaid(
        _ lines: [Result<ImportedAccount, ImportFlaw>], _ options: ImportOptions, _ report: inout ImportReport,
        by actor: AuditActor
    ) throws(AccountsError) {
        var named: Set<String> = []
        var disabled: [String: Int] = [:]
        var nameless = 0
        for line in lines {
            guard case .success(let account) = line, let email = EmailAddress(account.email) else {
                nameless += 1
                continue
            }
            named.insert(email.canonical)
            if account.disabled { disabled[email.canonical] = account.line }
        }
        // Whoever seems to be missing may be the one whom such a line is about.
        let disablesMissing = options.disablesMissing && nameless == 0
        if options.disablesMissing, !disablesMissing {
            report.outcomes.append(
                ImportOutcome(
                    line: nil, user: nil, outcome: .skipped,
                    reason: "nobody is disabled for missing: \(nameless) lines have no readable e-mail address"))
        }
        for user in try users() where !user.disabled && !user.service {
            let email = EmailAddress(user.email)?.canonical ?? user.email
            let line = disabled[email]
            guard line != nil || disablesMissing && !named.contains(email) else { continue }
            // A file that was cut short must not lock the operator out.
            guard line != nil || !user.groups.contains("gatehouse-admins") else {
                report.outcomes.append(
                    ImportOutcome(line: nil, user: user.username, outcome: .skipped, reason: "it is an administrator"))
                continue
            }
            if !options.isDryRun { _ = try disableUser(user.id, by: actor) }
            report.outcomes.append(
                ImportOutcome(
                    line: line, user: user.username, outcome: .disabled,
                    reason: line == nil ? "it is not in the file" : nil))
        }
    }
}
