internal import Core

/// What a provider has given for one session, as it is stored: apart from the session, so that a refresh does not make
/// caches decode that again.
struct ProviderTokensRecord: JSONRecord, Equatable {
    var userID: String
    /// The provider's id in the configuration when the session began.
    var provider: String
    var issuer: String
    var subject: String
    /// ``TokenProvider/client``; nil, which is nobody, in rows of before there was one.
    var client: String?
    /// ``Content``, sealed, in base 64.
    var sealed: String
    var obtainedAt: Timestamp
    /// Of the access token; nil: the provider does not say.
    var expiresAt: Timestamp?
    var isRefreshable: Bool

    /// Of both tokens together: what is longer is not kept.
    static let maximumBytes = 8192

    struct Content: Codable {
        var access: String
        var refresh: String?
    }

    /// The same tokens, even if they have been sealed anew in the meantime.
    func isSameGrant(as other: ProviderTokensRecord) -> Bool {
        var resealed = self
        resealed.sealed = other.sealed
        return resealed == other
    }

    var by: TokenProvider { TokenProvider(id: provider, issuer: issuer, client: client ?? "") }

    /// By the same provider, for the same person.
    func isSameGrantor(as held: HeldTokens) -> Bool {
        by == held.by && subject.utf8.elementsEqual(held.subject.utf8)
    }

    var schedule: TokenSchedule {
        TokenSchedule(obtainedAt: obtainedAt, expiresAt: expiresAt, isRefreshable: isRefreshable)
    }
}

/// What is done with an access token at some time; pure.
///
/// ```
///   obtained ──────────── fresh ────────────► due ── the last minute ──► over
///            handed on as it is               handed on, and            refreshed first;
///                                             refreshed beside that     else nothing
/// ```
struct TokenSchedule: Equatable {
    enum State: Equatable {
        /// It goes on as it is.
        case fresh
        /// It is still good; a new one is better.
        case due
        /// It is good no more.
        case over
    }

    /// An app that is given a token shall have the time to use it.
    static let margin = Duration.seconds(60)

    let obtainedAt: Timestamp
    let expiresAt: Timestamp?
    let isRefreshable: Bool

    func state(at now: Timestamp) -> State {
        guard let expiresAt else { return .fresh }
        guard expiresAt > now else { return .over }
        // One that lives for a minute is not to be refreshed for every request.
        let lifetime = (expiresAt - obtainedAt).wholeMilliseconds
        let margin = min(Self.margin, .milliseconds(max(0, lifetime / 4)))
        return isRefreshable && expiresAt - margin <= now ? .due : .fresh
    }
}

/// When a refresh that failed is tried again: after 5 seconds, then twice as long each time, at most five minutes.
struct RefreshPause: Equatable {
    /// Nothing of a provider's is asked for by anybody meanwhile, so it is shorter.
    static let longestOfProvider = Duration.seconds(30)

    var longest = RefreshPause.longest
    private(set) var failures = 0
    private(set) var until = Timestamp(milliseconds: .min)

    static let first = Duration.seconds(5)
    static let longest = Duration.seconds(300)

    func holds(at now: Timestamp) -> Bool {
        // A clock that was set back must not make it longer.
        until > now && until <= now + longest
    }

    mutating func failed(at now: Timestamp) {
        let pause = Self.first * (1 << min(failures, 10))
        failures += 1
        until = now + min(pause, longest)
    }
}

/// The tokens of an identity that a provider has brought, on their way to a session.
struct HeldTokens: Sendable {
    let tokens: GrantedTokens
    let provider: String
    let issuer: String
    let subject: String

    var by: TokenProvider { TokenProvider(id: provider, issuer: issuer, client: tokens.client) }

    /// Nil where nothing is to be kept.
    init?(_ identity: FederatedIdentity) {
        guard let tokens = identity.tokens else { return nil }
        self.tokens = tokens
        provider = identity.provider
        issuer = identity.issuer
        subject = identity.subject
    }

    init(_ tokens: GrantedTokens, replacing record: ProviderTokensRecord) {
        self.tokens = tokens
        provider = record.provider
        issuer = record.issuer
        subject = record.subject
    }
}
