public import Core
internal import LMDB

/// A link that has just been made: the only time that it is there. Part of no `Encodable` type.
public struct IssuedLink: Sendable {
    public let purpose: LinkPurpose
    public let url: String
    public let user: User
    public let expiresAt: Timestamp
}

extension Store {
    /// Makes a link for the operator to hand over (`user link`). Earlier ones of its kind end.
    ///
    /// - Parameter purpose: anything but a registration and a change of address, which only people can ask for.
    /// - Throws: `notFound`; `refused` for a disabled user, a service account, or such a purpose.
    public func createLink(
        _ purpose: LinkPurpose, for selector: String, by actor: AuditActor
    ) throws(AccountsError) -> IssuedLink {
        let lifetime: Duration
        switch purpose {
        case .magicLink: lifetime = .seconds(900)
        case .resetPassword: lifetime = AccountOperations.resetLifetime
        case .verifyEmail: lifetime = AccountOperations.verificationLifetime
        case .invitation: lifetime = AccountOperations.invitationLifetime
        case .unlock: lifetime = AccountOperations.resetLifetime
        case .enrolFactor:
            throw AccountsError(.refused, "`gatehouse user reset-2fa` makes this link.")
        case .changeEmail:
            throw AccountsError(.refused, "Only the user can ask for another address.")
        case .registration:
            throw AccountsError(.refused, "Somebody who has an account has no use for a registration.")
        }
        let now = clock.now()
        let token = try SecretText(random)
        return try write { transaction in
            let user = try self.require(user: selector, in: transaction)
            guard !user.service, try !self.isShutOut(user, in: transaction) else {
                throw AccountsError(.refused, "\(user.username) is disabled, blocked or a service account.")
            }
            let record = LinkRecord(
                purpose: purpose, userID: user.id, epoch: user.epoch, email: user.canonicalEmail, createdAt: now,
                expiresAt: now + lifetime)
            try self.removeLinks(of: user.id, purposes: [purpose], at: now, in: transaction)
            try self.insert(record, digest: token.digest, in: transaction)
            try self.append(
                NewAuditEvent(
                    .linkCreated, user: user.username, userID: user.id,
                    metadata: [
                        "purpose": .string(purpose.rawValue), "expires_at": .string(record.expiresAt.rfc3339),
                    ]),
                by: actor, at: now, in: transaction)
            return IssuedLink(
                purpose: purpose, url: self.url(of: purpose, token: token.text), user: User(user),
                expiresAt: record.expiresAt)
        }
    }
}
