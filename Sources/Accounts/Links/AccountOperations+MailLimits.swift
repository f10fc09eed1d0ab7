internal import Core
internal import LMDB

extension AccountOperations {
    /// More links of one kind of one account, or registrations of one address, are never good at a time.
    static let mostLinksKept = 64

    /// So many links are good at a time: a stranger who asks for as many as `limits.mail` lets them, for as long as a
    /// link lives, must not make the one void that the owner was just mailed.
    func linksKept(within lifetime: Duration) -> Int {
        guard let limit = configuration.limits.limits[.mail] else { return Self.mostLinksKept }
        return min(Self.mostLinksKept, limit.most(within: lifetime, bound: Self.mostLinksKept) + 1)
    }

    /// Counts one mail to an address: by its purpose and, where its owner asks on a device that they are known by, apart
    /// from what strangers ask for. The client is counted before (``RateLimiter``).
    ///
    /// - Parameter userID: of who is signed in there.
    /// - Throws: `rateLimited`.
    func takeMail(
        _ purpose: LinkPurpose, to email: EmailAddress, as event: AuditEventType, by userID: String? = nil,
        from client: Client, at now: Timestamp
    ) throws(AccountsError) {
        do throws(AccountsError) {
            try takeMail(purpose, to: email, from: client, at: now)
        } catch {
            if error.code == .rateLimited { limiter.note(event, .mail, client, by: userID, at: now) }
            throw error
        }
    }

    private func takeMail(
        _ purpose: LinkPurpose, to email: EmailAddress, from client: Client, at now: Timestamp
    ) throws(AccountsError) {
        let limits = configuration.limits
        if let token = client.deviceToken, let device = try knownDevice(token, ofOwnerOf: email, at: now) {
            try limiter.take(device: device.digest, of: device.userID, for: purpose, limits, at: now)
        } else {
            try limiter.take(mailbox: email.canonical, for: purpose, limits, at: now)
        }
    }

    private func knownDevice(
        _ token: String, ofOwnerOf email: EmailAddress, at now: Timestamp
    ) throws(AccountsError) -> (userID: String, digest: [UInt8])? {
        let store = store
        return try store.read { transaction in
            guard let user = try store.findUser(email: email, in: transaction),
                let digest = try store.knownDevice(token, of: user.id, at: now, in: transaction)
            else { return nil }
            return (user.id, digest)
        }
    }
}
