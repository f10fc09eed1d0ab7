public import Core
internal import LMDB

/// What became of a sign-in. A refusal is returned from the transaction and not thrown in it, so that what it has
/// counted and written down is kept.
enum SignInOutcome: Sendable {
    case signedIn(SignedIn)
    case refused(AccountsError)

    func get() throws(AccountsError) -> SignedIn {
        switch self {
        case .signedIn(let signedIn): return signedIn
        case .refused(let refusal): throw refusal
        }
    }
}

/// What the first proof rests on. It must still be so when the second factor comes.
enum SignInBasis: Sendable, Equatable {
    case none
    /// The digest of a passkey's credential id.
    case passkey(digest: [UInt8])
    /// The hash that the password fitted.
    case password(hash: String)
    /// The digest of a link. It is used up by the whole sign-in, not by its first half.
    case link(digest: [UInt8])
    /// What a provider said of the person a moment ago.
    case provider
}

/// A person who has given the first proof and not the second. Not a credential: it has no text, leaves the process in no
/// form, and nothing but the operations that finish a sign-in takes one. Only ``Store/complete(_:of:at:in:)`` makes it.
public struct PartialSignIn: Sendable {
    /// What is missing.
    public enum Need: Sendable, Equatable {
        /// A second factor.
        case factor
        /// The operator wants a second factor, and there is none yet.
        case enrolment
    }

    /// How long the second proof may take.
    static let lifetime = Duration.seconds(600)

    public let need: Need
    /// The user name, for the page that asks.
    public let username: String
    /// A code can be given: of an authenticator or of the backup list.
    public let takesCodes: Bool
    /// To set up a factor takes the link that the operator had made besides.
    public let needsLink: Bool
    /// The operator lets people trust a device for a while.
    public let offersTrust: Bool
    public let expiresAt: Timestamp

    /// Random: what is begun for this sign-in is no other's.
    let id: String
    let userID: String
    let epoch: UInt64
    let proof: Proof
    let basis: SignInBasis
    let federated: FederatedSession?
    let tokens: HeldTokens?
    /// When the first proof was given.
    let provedAt: ProofTime
    let beganAt: Timestamp
    let remember: Bool
    let method: String

    init(_ signIn: CompleteSignIn, of user: UserRecord, need: Need, _ standing: FactorStanding, at now: Timestamp) {
        self.need = need
        username = user.username
        takesCodes = standing.takesCodes
        needsLink = need == .enrolment && user.enrolsByLink == true
        offersTrust = signIn.configuration.trustsDevicesFor != nil && need == .factor
        expiresAt = now + Self.lifetime
        id = signIn.materials.sessionID
        userID = user.id
        epoch = user.epoch
        proof = signIn.proof
        basis = signIn.basis
        federated = signIn.federated
        tokens = signIn.tokens
        provedAt = signIn.provedAt
        beganAt = now
        if case .page(let remember) = signIn.face { self.remember = remember } else { remember = false }
        method = signIn.method
    }
}

extension Store {
    /// The account of a partial sign-in, if everything is still as it was.
    ///
    /// - Throws: `invalidToken`.
    func resume(
        _ partial: PartialSignIn, at now: Timestamp, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> UserRecord {
        let over = AccountsError(.invalidToken, "The sign-in took too long, or the account was changed: begin again.")
        guard partial.expiresAt > now, partial.expiresAt <= now + PartialSignIn.lifetime + .seconds(60),
            let user = try Tables.users.get(partial.userID, in: transaction), user.epoch == partial.epoch,
            !user.service, try !isShutOut(user, in: transaction)
        else { throw over }
        // The factor that it waits for has gone: whether the first proof is enough is asked of that one anew.
        if partial.need == .factor, try !factorStanding(of: user.id, in: transaction).hasAny { throw over }
        switch partial.basis {
        case .none: break
        case .passkey(let digest):
            guard try Tables.passkeys.get(digest, in: transaction)?.userID == user.id else { throw over }
        case .provider:
            let link = try partial.federated.flatMap { known in
                try socialAccounts(of: user.id, in: transaction).first { $0.id == known.link }
            }
            guard let link, link.endedAt.map({ $0 < partial.beganAt }) ?? true,
                try !hasEnded(partial.federated?.place, at: now, in: transaction)
            else { throw over }
            let subject = BlockSubject.subject(issuer: link.issuer, subject: link.subject)
            guard try Tables.blocks.revision(of: subject.key, in: transaction) == nil else { throw over }
        case .password(let hash):
            guard try Tables.passwords.get(user.id, in: transaction)?.isStill(hash) == true else { throw over }
        case .link(let digest):
            guard try usableLink(digest, for: [.magicLink], at: now, in: transaction).user.id == user.id else {
                throw over
            }
        }
        return user
    }

    /// Takes away what a complete sign-in uses up.
    func useUp(
        _ basis: SignInBasis, of user: UserRecord, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        guard case .link(let digest) = basis else { return }
        let (link, owner) = try usableLink(digest, for: [.magicLink], at: now, in: transaction)
        guard owner.id == user.id, user.canonicalEmail == link.email else { throw AccountsError.invalidLink }
        try removeLink(link, digest: digest, in: transaction)
        try verify(user, link.email, at: now, in: transaction)
    }
}
