import Core
import LMDB
import Logging
import Synchronization
import Testing

@testable import Accounts

/// Answers refreshes from a list, and counts them.
final class Renewals: Sendable {
    private let state = Mutex<(answers: [TokenRenewal], asked: [String])>(([], []))

    var asked: [String] { state.withLock { $0.asked } }

    func will(_ answers: TokenRenewal...) { state.withLock { $0.answers += answers } }

    func renew(_ token: SecretBytes) -> TokenRenewal {
        state.withLock { state in
            state.asked.append(token.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
            return state.answers.isEmpty ? .failed("nothing is known") : state.answers.removeFirst()
        }
    }
}

/// Keeps refreshes at a provider waiting until it is told otherwise.
final class HeldRenewals: Sendable {
    private let answer: TokenRenewal
    private let provider: String
    private let others: TokenRenewal?
    private let gate: (stream: AsyncStream<Void>, end: AsyncStream<Void>.Continuation)
    private let state = Mutex<[String]>([])

    /// The providers that were asked.
    var asked: [String] { state.withLock { $0 } }

    init(_ answer: TokenRenewal, of provider: String = "corp", others: TokenRenewal? = nil) {
        self.answer = answer
        self.provider = provider
        self.others = others
        let (stream, end) = AsyncStream.makeStream(of: Void.self)
        gate = (stream, end)
    }

    func release() { gate.end.finish() }

    @Sendable func renew(_ wanted: TokenProvider, _ token: SecretBytes, _ subject: String) async -> TokenRenewal? {
        state.withLock { $0.append(wanted.id) }
        guard wanted.id == provider else { return others }
        for await _ in gate.stream {}
        return answer
    }
}

/// Sessions that began by a provider, whose tokens are kept.
struct TokenScene {
    static let corp = TokenProvider(id: "corp", issuer: "https://idp.example")
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    static let access = "access-AAAA-never-to-be-seen"
    static let refresh = "refresh-RRRR-never-to-be-seen"

    let scene: FederationScene
    let renewals = Renewals()
    let refresher: ProviderTokenRefresher
    let reader: StoredProviderTokens

    init() throws {
        scene = try FederationScene()
        let renewals = renewals
        refresher = ProviderTokenRefresher(store: scene.store, log: Self.quiet) { _, token, _ in
            renewals.renew(token)
        }
        reader = try StoredProviderTokens(store: scene.store, refresher: refresher, log: Self.quiet)
    }

    func tokens(
        _ access: String = TokenScene.access, refresh: String? = TokenScene.refresh,
        lasts: Duration? = .seconds(600), client: String = ""
    ) -> GrantedTokens {
        GrantedTokens(
            access: SecretBytes(copying: access.utf8), refresh: refresh.map { SecretBytes(copying: $0.utf8) },
            expiresAt: lasts.map { scene.test.now + $0 }, client: client)
    }

    func enter(_ subject: String = "1", _ tokens: GrantedTokens?, by provider: String = "corp") async throws -> Identity
    {
        var identity = FederatedIdentity(
            provider: provider, issuer: "https://idp.example", subject: subject,
            email: EmailAddress("\(subject)@example.com"), emailIsVerified: true, authenticatedAt: scene.test.now)
        identity.tokens = tokens
        let signedIn = try await scene.operations.signIn(
            by: identity, FederationTerms(createsUsers: true, linksUnused: true), as: .page(remember: false),
            from: scene.client)
        return Identity(
            kind: .session, credentialID: signedIn.session, subject: signedIn.user.id, user: signedIn.user.username,
            session: signedIn.session)
    }

    func token(
        _ identity: Identity, from providers: [TokenProvider] = [corp], mayWait: Bool = false
    ) -> String? {
        guard
            case .token(let bytes) = reader.token(
                of: identity, from: providers, mayWait: mayWait, at: scene.test.now)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Asks as an exchange does, and waits for what that has begun.
    func waited(_ identity: Identity) async -> String? {
        _ = reader.token(of: identity, from: [Self.corp], mayWait: true, at: scene.test.now)
        await landed(identity)
        return token(identity)
    }

    func landed(_ identity: Identity) async {
        guard let pending = identity.session.flatMap({ refresher.underWay($0) }) else { return }
        await Self.ready(pending)
    }

    static func ready(_ pending: PendingReading) async {
        await withCheckedContinuation { continuation in pending.onReady { continuation.resume() } }
    }

    func rows() throws -> Int { try scene.store.read { try Tables.providerTokens.count(in: $0) } }
}
