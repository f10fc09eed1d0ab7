internal import Core
internal import LMDB

/// A link that somebody wants to be mailed to an address of theirs.
struct LinkRequest: Sendable {
    var purpose: LinkPurpose
    var event: AuditEventType
    var lifetime: Duration
    /// SHA-256 of what the asking browser holds, in hexadecimal.
    var browser: String?
    /// Where the person goes on.
    var returnTo: String?
    /// Of a link that signs in.
    var origin: LinkOrigin?
}

extension AccountOperations {
    /// One transaction, one event and one mail, whether the address has an account or not, and an answer at the same time.
    func sendLink(
        _ request: LinkRequest, to email: EmailAddress, from client: Client
    ) async throws(AccountsError) {
        let begin = ContinuousClock.now
        let now = now
        let store = store
        try limiter.take(.mail, client: client, as: request.event, configuration.limits, at: now)
        try takeMail(request.purpose, to: email, as: request.event, from: client, at: now)
        let kept = linksKept(within: request.lifetime)
        let token = try SecretText(store.random)
        try await store.writing { transaction in
            let known = try store.findUser(email: email, in: transaction)
            let user = try known.flatMap { try store.isLinkable($0, in: transaction) ? $0 : nil }
            let reason: String? =
                switch (known, user) {
                case (_, _?): nil
                case (let known?, nil) where !known.service: AccountsError.Code.userDisabled.reason
                case (_, nil): "not_found"
                }
            try store.append(
                NewAuditEvent(
                    request.event, success: user != nil, reason: reason, user: known?.username ?? email.canonical,
                    userID: known?.id),
                by: client.actor("anonymous"), at: now, in: transaction)
            guard let user else {
                return try store.enqueue(
                    MailMessage(.noAccount, to: email, language: client.language), at: now, in: transaction)
            }
            let end = now + request.lifetime
            // A mailbox full of good links would be a risk for nothing, but more than one tab may have asked; and a
            // stranger who asks for one must not make the one void that the user was just mailed.
            try store.keepNewest(kept - 1, of: user.id, in: transaction) { $0.purpose == request.purpose }
            try store.insert(
                LinkRecord(
                    purpose: request.purpose, userID: user.id, epoch: user.epoch, email: user.canonicalEmail,
                    createdAt: now, expiresAt: end, origin: request.origin, browser: request.browser,
                    returnTo: request.returnTo),
                digest: token.digest, in: transaction)
            try store.mail(
                request.content(store.url(of: request.purpose, token: token.text)), to: user, client, expiresAt: end,
                at: now, in: transaction)
        }
        await EvenAnswer.wait(since: begin)
    }
}

extension Store {
    /// A link in a mail may do something for this account.
    fileprivate func isLinkable(
        _ user: UserRecord, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> Bool {
        try !user.service && !isShutOut(user, in: transaction)
    }
}

extension LinkRequest {
    func content(_ link: String) -> MailContent {
        let minutes = Int(lifetime.wholeMilliseconds / 60_000)
        switch purpose {
        case .magicLink: return .magicLink(link: link, minutes: minutes)
        case .resetPassword: return .passwordReset(link: link, minutes: minutes)
        case .invitation: return .invitation(link: link, days: minutes / 1440)
        case .registration, .verifyEmail: return .verifyEmail(link: link)
        case .changeEmail: return .confirmNewEmail(link: link)
        case .unlock, .enrolFactor: return .magicLink(link: link, minutes: minutes)
        }
    }
}
