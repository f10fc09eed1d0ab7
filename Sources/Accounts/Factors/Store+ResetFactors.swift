public import Core
internal import LMDB

/// A kind of second factor, for the operator.
public enum FactorKind: String, Sendable, CaseIterable {
    case totp
    case passkeys
    case backupCodes = "backup-codes"
}

/// What an account has enrolled, as the operator sees it; no secrets.
public struct UserFactors: Encodable, Sendable {
    /// One factor.
    public struct Entry: Encodable, Sendable {
        public let id: String
        public let kind: String
        public let name: String
        public let createdAt: Timestamp
        public let lastUsedAt: Timestamp?

        private enum CodingKeys: String, CodingKey {
            case id, kind, name
            case createdAt = "created_at"
            case lastUsedAt = "last_used_at"
        }
    }

    public let user: User
    public let factors: [Entry]
    /// How many were not used yet.
    public let backupCodes: Int

    private enum CodingKeys: String, CodingKey {
        case user, factors
        case backupCodes = "backup_codes"
    }
}

/// What taking factors away has done.
public struct FactorReset: Encodable, Sendable {
    public let user: User
    /// The kinds that were there.
    public let removed: [String]
    /// Ids of the sessions that ended.
    public let sessions: [String]
    /// By which the user sets up a new factor, where it was asked for; shown once.
    public let link: String?
    /// It went to the user by mail.
    public let isMailed: Bool

    private enum CodingKeys: String, CodingKey {
        case user, removed, sessions, link
        case isMailed = "mailed"
    }
}

extension Store {
    /// The link that a reset hands out is good for so long.
    static let enrolmentLifetime = Duration.seconds(24 * 3600)

    /// What an account has enrolled (`user factors`).
    ///
    /// - Throws: `notFound`.
    public func factors(of selector: String) throws(AccountsError) -> UserFactors {
        try read { transaction in
            let user = try self.require(user: selector, in: transaction)
            var entries: [UserFactors.Entry] = []
            if let totp = try Tables.totp.get(user.id, in: transaction), let since = totp.activeSince {
                entries.append(
                    .init(
                        id: "totp", kind: "totp", name: "\(totp.algorithm), \(totp.digits) digits, \(totp.period) s",
                        createdAt: since, lastUsedAt: totp.lastUsedAt))
            }
            for (_, passkey) in try self.passkeys(of: user.id, in: transaction) {
                entries.append(
                    .init(
                        id: passkey.id, kind: "passkey", name: passkey.name, createdAt: passkey.createdAt,
                        lastUsedAt: passkey.lastUsedAt))
            }
            let codes = try Tables.backupCodes.get(user.id, in: transaction)?.digests.count ?? 0
            return UserFactors(user: User(user), factors: entries, backupCodes: codes)
        }
    }

    /// Takes factors away that a user has lost (`user reset-2fa`). Every session ends. A password alone sets up no new
    /// one afterwards, in the middle of a sign-in or in a session: it takes the link that this makes as well, and the
    /// link alone opens nothing.
    ///
    /// - Parameters:
    ///   - only: these kinds; empty: all.
    ///   - reason: for the audit log.
    ///   - printsLink: the link is handed to the operator, else mailed.
    /// - Throws: `notFound`, `refused` for a service account.
    public func resetFactors(
        of selector: String, only: Set<FactorKind> = [], reason: String? = nil, printsLink: Bool, by actor: AuditActor
    ) throws(AccountsError) -> FactorReset {
        var note: String?
        if let reason { note = try validatedLabel(reason, what: "reason", maximumBytes: 254) }
        let reason = note
        let now = clock.now()
        let token = try SecretText(random)
        let kinds = only.isEmpty ? Set(FactorKind.allCases) : only
        return try write { transaction in
            var user = try self.require(user: selector, in: transaction)
            guard !user.service else {
                throw AccountsError(.refused, "\(user.username) is a service account, which has only API keys.")
            }
            let removed = try self.remove(kinds, of: user, in: transaction)
            let ended = try self.endSessions(of: user, except: nil, at: now, in: transaction)
            try self.distrustDevices(of: user.id, in: transaction)
            // Backup codes alone are no factor to go on with.
            user.enrolsByLink = try self.factorStanding(of: user.id, in: transaction).isLasting ? nil : true
            try Tables.users.put(user, for: user.id, in: transaction)
            let end = now + Self.enrolmentLifetime
            try self.removeLinks(
                of: user.id, purposes: [.enrolFactor, .magicLink, .changeEmail], at: now, in: transaction)
            try self.insert(
                LinkRecord(
                    purpose: .enrolFactor, userID: user.id, epoch: user.epoch, email: user.canonicalEmail,
                    createdAt: now, expiresAt: end, isHandedOver: printsLink), digest: token.digest, in: transaction)
            let url = self.url(of: .enrolFactor, token: token.text)
            var metadata: [String: AuditValue] = [
                "removed": .strings(removed), "sessions_ended": .integer(Int64(ended.count)),
            ]
            if let reason { metadata["reason"] = .string(reason) }
            try self.append(
                NewAuditEvent(.factorsReset, user: user.username, userID: user.id, metadata: metadata), by: actor,
                at: now, in: transaction)
            try self.mail(
                .factorsReset(link: printsLink ? nil : url, MailOccasion(at: now)), to: user, Client(),
                expiresAt: printsLink ? nil : end, at: now, in: transaction)
            return FactorReset(
                user: User(user), removed: removed, sessions: ended, link: printsLink ? url : nil,
                isMailed: !printsLink && self.mailIsOn)
        }
    }

    /// - Returns: the kinds of which there was one that could be given: a set-up that was never proved goes too, and is
    ///   none.
    private func remove(
        _ kinds: Set<FactorKind>, of user: UserRecord, in transaction: borrowing WriteTransaction
    ) throws -> [String] {
        let standing = try factorStanding(of: user.id, in: transaction)
        if kinds.contains(.totp) { try Tables.totp.delete(user.id, in: transaction) }
        if kinds.contains(.passkeys) { try removePasskeys(of: user.id, in: transaction) }
        if kinds.contains(.backupCodes) { try Tables.backupCodes.delete(user.id, in: transaction) }
        // What was counted against factors that are gone would keep the new ones out.
        try Tables.lockouts.delete(LockoutSubject.factor(userID: user.id).key, in: transaction)
        try Tables.lockouts.delete(LockoutSubject.wrongCodes(userID: user.id).key, in: transaction)
        return FactorKind.allCases.filter { kinds.contains($0) && standing.has($0) }.map(\.rawValue)
    }
}

extension FactorStanding {
    fileprivate func has(_ kind: FactorKind) -> Bool {
        switch kind {
        case .totp: totp
        case .passkeys: passkeys > 0
        case .backupCodes: backupCodes > 0
        }
    }
}
