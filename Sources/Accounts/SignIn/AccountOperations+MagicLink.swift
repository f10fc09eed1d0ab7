internal import Core
internal import Cryptography
internal import LMDB

/// What a link that signs in would do, for the page that it leads to.
public struct OpenedMagicLink: Sendable {
    public let user: User
    /// It is good in the browser that opened it.
    public let isOfThisBrowser: Bool
    /// Where the person wanted to go.
    public let returnTo: String?
}

extension AccountOperations {
    /// Mails a link that signs in. The answer, the work and the number of mails are the same for an address that
    /// nobody has.
    ///
    /// - Parameters:
    ///   - browser: a random text that the asking browser keeps in a cookie: the link is good in that browser only. Nil
    ///     for a program: it is good by the API only, so that nobody is talked into signing in to a stranger's account.
    ///   - returnTo: where the person goes on after it.
    /// - Throws: `invalid` for what is no address, `rateLimited`, `refused` when magic links are off.
    public func requestMagicLink(
        _ email: String, browser: String?, returnTo: String? = nil, from client: Client
    ) async throws(AccountsError) {
        try requireMagicLinks()
        let nonce = browser.map { Hexadecimal.encode(SecretText.digest(of: $0)) }
        try await sendLink(
            LinkRequest(
                purpose: .magicLink, event: .magicLinkRequested, lifetime: configuration.magicLinkLifetime,
                browser: nonce, returnTo: returnTo, origin: browser == nil ? .api : .page),
            to: try Self.email(email), from: client)
    }

    /// Looks at a link on a page, without using it up.
    ///
    /// - Throws: `invalidToken`, `refused` when magic links are off.
    public func magicLink(at token: String, browser: String?) throws(AccountsError) -> OpenedMagicLink {
        try requireMagicLinks()
        let digest = try Self.digest(token)
        let now = now
        let store = store
        return try store.read { transaction in
            let (link, user) = try store.usableLink(digest, for: [.magicLink], at: now, in: transaction)
            return OpenedMagicLink(
                user: User(user), isOfThisBrowser: link.isGood(inBrowser: browser, as: .page(remember: false)),
                returnTo: link.returnTo)
        }
    }

    /// Signs in by a link. It is used up by the complete sign-in, in the same transaction: of two at the same instant
    /// one wins, and one that waits for a second factor stays good.
    ///
    /// - Parameters:
    ///   - browser: what the browser's cookie holds; see ``requestMagicLink(_:browser:returnTo:from:)``.
    ///   - passkey: the second factor of a program, in place of a code.
    /// - Throws: `invalidToken`; `refused` in another browser than the one that asked, and on pages for a link that was
    ///   asked for by the API, and the link stays good.
    public func signIn(
        magicLink token: String, browser: String?, code: String? = nil, passkey: PasskeyProof? = nil,
        as face: SignInFace, from client: Client
    ) async throws(AccountsError) -> SignedIn {
        try requireMagicLinks()
        let digest = try Self.digest(token)
        let kept = try KeptClient(client)
        let now = now
        let store = store
        try limiter.take(.signIn, client: client, method: "magic_link", configuration.limits, at: now)
        let presented = try presented(passkey, besides: code, at: now)
        let userID = try store.read { transaction in
            try store.usableLink(digest, for: [.magicLink], at: now, in: transaction).user.id
        }
        var signIn = CompleteSignIn(
            proof: .mailbox, face: face, client: client, kept: kept, materials: try SignInMaterials(store.random),
            configuration: configuration, method: "magic_link",
            basis: .link(digest: digest), code: code, passkey: presented)
        try sign(&signIn, for: userID, at: now)
        let complete = signIn
        return try await store.writing { transaction in
            let (link, user) = try store.usableLink(digest, for: [.magicLink], at: now, in: transaction)
            guard link.isGood(inBrowser: browser, as: face) else {
                throw AccountsError(
                    .refused, "Open this link in the browser that asked for it, or ask for a new one here.")
            }
            guard user.canonicalEmail == link.email else { throw AccountsError.invalidLink }
            return try store.complete(complete, of: user, at: now, in: transaction)
        }.get()
    }

    private func requireMagicLinks() throws(AccountsError) {
        guard configuration.magicLinkIsEnabled else {
            throw AccountsError(.refused, "Links that sign in are not in use here.")
        }
    }
}

extension LinkRecord {
    /// It was made by the operator, or asked for by the API and used there, or is for the browser that holds this.
    fileprivate func isGood(inBrowser nonce: String?, as face: SignInFace) -> Bool {
        if origin == .api { return face == .api }
        guard let browser else { return origin == nil }
        return nonce.map { Hexadecimal.encode(SecretText.digest(of: $0)) } == browser
    }
}
