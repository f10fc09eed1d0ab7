internal import Core
internal import LMDB

extension AuditEvent {
    /// What takes something away from somebody: undone by going back to a store from before it.
    private static let revocations: Set<String> = Set(
        [
            AuditEventType.userDisabled, .userDeleted, .userGroupsChanged, .apiKeyRevoked, .apiKeyRotated,
            .sessionRevoked, .sessionsRevoked, .signingKeyRetired, .blockAdded, .socialAccountUnlinked,
            .passwordChanged, .emailChanged, .factorRemoved, .factorsReset, .backupCodesRenewed, .backupCodeUsed,
        ].map(\.rawValue))
    /// What undoes one of them.
    private static let undoing: Set<String> = Set([AuditEventType.userEnabled, .blockRemoved].map(\.rawValue))

    var isRevocation: Bool { success && (Self.revocations.contains(type) || !takenByImport.isEmpty) }

    /// What an import of accounts has put in the place of something.
    fileprivate var takenByImport: Set<String> {
        guard type == AuditEventType.userUpdated.rawValue, case .strings(let changed) = metadata["changed"] else {
            return []
        }
        return Set(changed).intersection(["groups", "password"])
    }

    /// Matters to who does revocations again.
    var isReplayed: Bool { isRevocation || success && Self.undoing.contains(type) }
}

extension [AuditEvent] {
    /// Those that a restore has brought back to life, of all that came after the backup. Sessions have ended all the
    /// same; a block that was lifted later is none; an account that was let in again later has lost nothing but the keys
    /// that being disabled ended.
    ///
    /// - Parameter replayed: those that were done again.
    func lost(besides replayed: [AuditEvent]) -> [AuditEvent] {
        let done = Set(replayed.map(\.place))
        return filter { event in
            guard event.isRevocation, !done.contains(event.place) else { return false }
            switch AuditEventType(rawValue: event.type) {
            case .sessionRevoked, .sessionsRevoked: return false
            case .blockAdded:
                return !contains {
                    $0.type == AuditEventType.blockRemoved.rawValue && $0.sequence > event.sequence
                        && $0.blockedText == event.blockedText
                }
            case .userDisabled:
                guard event.metadata["api_keys"] == .integer(0) else { return true }
                return !contains {
                    $0.type == AuditEventType.userEnabled.rawValue && $0.sequence > event.sequence
                        && $0.userID == event.userID
                }
            default: return true
            }
        }
    }
}

extension [AuditEvent] {
    /// Both, in their order, and what both have once.
    func joined(with others: [AuditEvent]) -> [AuditEvent] {
        let known = Set(map(\.place))
        return (self + others.filter { !known.contains($0.place) }).sorted { $0.sequence < $1.sequence }
    }
}

extension AuditEvent {
    /// Tells events of two logs with one beginning apart.
    fileprivate var place: String { "\(sequence) \(type) \(userID ?? "") \(createdAt.milliseconds)" }

    fileprivate var blockedText: [AuditValue?] { [metadata["email"], metadata["issuer"], metadata["subject"]] }
}

extension Store {
    /// Does revocations again, in their order, and what undid some of them; what is not there any more needs none.
    ///
    /// - Returns: the revocations that were done again.
    func replay(_ events: [AuditEvent], by actor: AuditActor) throws(AccountsError) -> [AuditEvent] {
        var done: [AuditEvent] = []
        for event in events.sorted(by: { $0.sequence < $1.sequence }) {
            do throws(AccountsError) {
                if try replay(event, by: actor) { done.append(event) }
            } catch  where error.code == .notFound || error.code == .exists {
                // The address was kept out as well, and no event says which one it was.
                if error.code == .notFound, event.type == AuditEventType.userDisabled.rawValue { continue }
                done.append(event)
            }
        }
        return done.filter(\.isRevocation)
    }

    private func replay(_ event: AuditEvent, by actor: AuditActor) throws(AccountsError) -> Bool {
        switch (AuditEventType(rawValue: event.type), event.userID) {
        case (.userDisabled, let id?): _ = try disableUser(id, by: actor)
        case (.userDeleted, let id?): _ = try deleteUser(id, by: actor)
        case (.userGroupsChanged, let id?):
            guard case .strings(let groups) = event.metadata["to"] else { return false }
            _ = try setGroups(id, to: groups, by: actor)
        case (.userUpdated, let id?):
            guard event.takenByImport.contains("groups"), case .strings(let groups) = event.metadata["groups"] else {
                return false
            }
            _ = try setGroups(id, to: groups, by: actor)
            // No export has the password.
            return !event.takenByImport.contains("password")
        case (.apiKeyRevoked, _):
            guard case .string(let id) = event.metadata["key"] else { return false }
            _ = try revokeAPIKey(id, by: actor)
        // The restore has ended all of them.
        case (.sessionRevoked, _), (.sessionsRevoked, _): return true
        case (.userEnabled, let id?): _ = try enableUser(id, by: actor)
        case (.blockRemoved, _):
            guard let subject = BlockSubject(event.metadata) else { return false }
            _ = try removeBlock(subject, by: actor)
        case (.signingKeyRetired, _):
            guard case .string(let kid) = event.metadata["kid"] else { return false }
            _ = try retireSigningKey(kid, by: actor)
        case (.blockAdded, _):
            guard let subject = BlockSubject(event.metadata) else { return false }
            _ = try addBlock(subject, note: "from the audit log", by: actor)
        case (.socialAccountUnlinked, let id?):
            guard case .string(let issuer) = event.metadata["issuer"],
                case .string(let subject) = event.metadata["subject"]
            else { return false }
            try unlinkAgain(issuer: issuer, subject: subject, of: id, by: actor)
        default: return false
        }
        return true
    }

    private func unlinkAgain(
        issuer: String, subject: String, of userID: String, by actor: AuditActor
    ) throws(AccountsError) {
        let now = clock.now()
        try write { transaction -> Void in
            let key = BlockSubject.subject(issuer: issuer, subject: subject).key
            guard let link = try Tables.socialAccounts.get(key, in: transaction), link.userID == userID,
                var user = try Tables.users.get(userID, in: transaction)
            else { return }
            try self.unlink(link, from: &user, in: transaction)
            try Tables.users.put(user, for: userID, in: transaction)
            try self.append(
                NewAuditEvent(
                    .socialAccountUnlinked, user: user.username, userID: userID,
                    metadata: [
                        "provider": .string(link.provider), "issuer": .string(issuer), "subject": .string(subject),
                    ]),
                by: actor, at: now, in: transaction)
        }
    }
}

extension BlockSubject {
    fileprivate init?(_ metadata: [String: AuditValue]) {
        if case .string(let text) = metadata["email"], let email = EmailAddress(text) {
            self = .email(email)
        } else if case .string(let issuer) = metadata["issuer"], case .string(let subject) = metadata["subject"] {
            self = .subject(issuer: issuer, subject: subject)
        } else {
            return nil
        }
    }
}
