internal import Core
internal import Cryptography
internal import LMDB

/// A person who has proved who they are, on the way to a session.
struct CompleteSignIn: Sendable {
    var proof: Proof
    var face: SignInFace
    var client: Client
    var kept: KeptClient
    var materials: SignInMaterials
    /// Signed already, for an API client.
    var accessToken: SignedAccessToken?
    var configuration: AccountOperations.Configuration
    /// `password`, `magic_link`, …: for the audit log.
    var method: String
    /// What is used up by it, or must still hold when a second factor comes later.
    var basis = SignInBasis.none
    /// Of an authenticator or of the backup list, where one came.
    var code: String?
    /// The second factor of a program that has no code.
    var passkey: PresentedPasskey?
    /// This browser is not to be asked for a second factor for a while.
    var trustsDevice = false
    /// By which provider; nil: by none.
    var federated: FederatedSession?
    /// What that provider has given for apps.
    var tokens: HeldTokens?
    /// When the first proof was given.
    var provedAt = ProofTime.now

    /// Something came as second factor.
    var hasSecond: Bool { code != nil || passkey != nil }

    /// What the session says of when its person was proved.
    ///
    /// - Parameter proof: all that was proved.
    func authenticatedAt(_ proof: Proof, at now: Timestamp) -> Timestamp? {
        // A code or a passkey besides was given just now.
        proof.hasFactor ? now : provedAt.time(at: now)
    }
}

/// When a first proof was given.
enum ProofTime: Sendable, Equatable {
    /// In the request that brought it.
    case now
    /// As a provider says; nil: it has not said, so that the session counts as recently proved for nothing.
    case earlier(Timestamp?)

    /// Never later than now: a provider's clock makes no proof recent for longer.
    func time(at now: Timestamp) -> Timestamp? {
        switch self {
        case .now: now
        case .earlier(let time): time.map { min($0, now) }
        }
    }
}

extension Store {
    /// The one end of every way in, in the transaction that has judged the first proof: decides whether a second factor
    /// is needed, and begins the session. The session, its secrets or tokens, the device, the audit event and the mail
    /// are all there, or nothing is.
    func complete(
        _ signIn: CompleteSignIn, of found: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> SignInOutcome {
        var signIn = signIn
        if let refusal = try secondFactorRefusal(&signIn, of: found, at: now, in: transaction) {
            return .refused(refusal)
        }
        // A factor that was set up on the way here has written the account since it was found.
        let user = try Tables.users.get(found.id, in: transaction) ?? found
        try useUp(signIn.basis, of: user, at: now, in: transaction)
        return .signedIn(try begin(signIn, of: user, at: now, in: transaction))
    }

    private func begin(
        _ signIn: CompleteSignIn, of user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> SignedIn {
        var user = user
        var (session, secrets, tokens) = try makeSession(of: user, signIn, at: now, in: transaction)
        let actor = signIn.client.actor(user.username, session: session.id)
        let device = try noteDevice(signIn, of: user, at: now, in: transaction)
        session.device = device.digest.map { Hexadecimal.encode($0) }
        session.federated = signIn.federated
        session.authenticatedAt = signIn.authenticatedAt(signIn.proof, at: now)
        if signIn.proof.hasFactor { session.secondFactorAt = now }
        try insert(session, in: transaction)
        try letGoOfSessions(of: user, besides: session.id, by: actor, at: now, in: transaction)
        if case .page = signIn.face, user.language != signIn.client.language {
            user.language = signIn.client.language
            try Tables.users.put(user, for: user.id, in: transaction)
        }
        if let place = session.federated?.place {
            try Tables.sessionsByProvider.put(EmptyRecord(), for: KeyPair(place, session.id), in: transaction)
        }
        if let held = signIn.tokens {
            try keep(held, for: session, of: user, by: actor, at: now, in: transaction)
        }
        try noteUsed(user, in: transaction)
        try Tables.lastUses.put(
            LastUseRecord(at: now, address: signIn.kept.address), for: session.id, in: transaction)
        try append(
            NewAuditEvent(
                .signIn, user: user.username, userID: user.id, session: session.id,
                metadata: [
                    "method": .string(signIn.method), "new_device": .boolean(device.isNew),
                    "amr": .strings(signIn.proof.amr),
                ]),
            by: actor, at: now, in: transaction)
        return SignedIn(
            user: User(user), session: session.id, secrets: secrets, tokens: tokens, deviceToken: device.token)
    }

    /// A session that is not stored yet, with its secrets or tokens, which are.
    private func makeSession(
        of user: UserRecord, _ signIn: CompleteSignIn, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> (session: SessionRecord, secrets: SessionSecrets?, tokens: IssuedTokens?) {
        let materials = signIn.materials
        switch signIn.face {
        case .page(let remember):
            var session = SessionRecord.browser(
                materials.sessionID, of: user, by: signIn.proof, from: signIn.kept, remembered: remember,
                signIn.configuration.sessions, at: now)
            try install(materials.secrets, for: &session, at: now, in: transaction)
            return (session, materials.secrets.handedOut(for: session, at: now), nil)
        case .api:
            guard let accessToken = signIn.accessToken, accessToken.proof == signIn.proof else {
                // A factor came or went between the signature and now.
                throw AccountsError(.store, "The account was changed at the same moment: try again.")
            }
            let session = SessionRecord.api(
                materials.sessionID, of: user, by: signIn.proof, from: signIn.kept, signIn.configuration.tokens, at: now
            )
            try keep(accessToken, in: transaction)
            try insert(materials.refresh, for: session, at: now, in: transaction)
            let tokens = IssuedTokens(
                accessToken: accessToken.text, expiresIn: accessToken.expiresIn, refreshToken: materials.refresh.text,
                session: session.id)
            return (session, nil, tokens)
        }
    }

    /// From its first sign-in on an account is somebody's.
    private func noteUsed(_ user: UserRecord, in transaction: borrowing WriteTransaction) throws {
        guard user.awaitsCredential != nil else { return }
        var user = user
        user.awaitsCredential = nil
        try Tables.users.put(user, for: user.id, in: transaction)
    }

    /// - Returns: the digest by which the device is known again, where it holds a secret of ours; on a page that secret;
    ///   whether the device was not known before.
    private func noteDevice(
        _ signIn: CompleteSignIn, of user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> (digest: [UInt8]?, token: String?, isNew: Bool) {
        var digest = try knownDevice(signIn.client.deviceToken, of: user.id, at: now, in: transaction)
        var token: String?
        if case .page = signIn.face {
            // One that is known goes on to be, and its cookie with it.
            token = digest == nil ? signIn.materials.device.text : signIn.client.deviceToken
            digest = digest ?? signIn.materials.device.digest
        }
        let name = signIn.kept.deviceName
        let isNew = try remember(
            device: digest ?? SHA256.digest("api client \(name ?? "")").bytes, kind: digest == nil ? .name : .token,
            name: name, of: user.id, at: now, in: transaction)
        if let digest, signIn.trustsDevice, signIn.proof.factors >= 2, case .page = signIn.face {
            try trust(device: digest, of: user.id, at: now, in: transaction)
        }
        if isNew {
            try mail(.newDevice(signIn.client.occasion(at: now)), to: user, signIn.client, at: now, in: transaction)
        }
        return (digest, token, isNew)
    }

    /// A mail to a user about their account.
    func mail(
        _ content: MailContent, to user: UserRecord, _ client: Client, expiresAt: Timestamp? = nil, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        guard let address = EmailAddress(user.email) else { return }
        try enqueue(
            MailMessage(content, to: address, language: client.language, userID: user.id, expiresAt: expiresAt),
            at: now, in: transaction)
    }

    /// Stores a refresh token of a session.
    func insert(
        _ token: SecretText, for session: SessionRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        let record = RefreshTokenRecord(session: session.id, createdAt: now, expiresAt: session.expiresAt)
        guard try Tables.refreshTokens.insert(record, for: token.digest, in: transaction) else {
            throw AccountsError(.store, "The random generator gave the same secret twice.")
        }
        try scheduleSweep(.refreshToken(Hexadecimal.encode(token.digest)), at: record.expiresAt, in: transaction)
    }
}
