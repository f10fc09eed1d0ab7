import Core
import Cryptography
import JOSE
import Logging
import Synchronization

@testable import Federation

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

final class ManualClock: WallClock, Sendable {
    private let time: Mutex<Timestamp>

    init(_ time: Timestamp = Timestamp(seconds: 1_800_000_000)) {
        self.time = Mutex(time)
    }

    func now() -> Timestamp { time.withLock { $0 } }
    func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// Answers from a table; a URL that is not in it is a dead server. Real servers are asked in the live tests.
final class TableFetcher: HTTPFetching {
    private struct State {
        var answers: [String: FetchResponse] = [:]
        var requests: [String] = []
        var gate: AsyncStream<Void>?
    }

    private let state = Mutex(State())

    var requests: [String] { state.withLock { $0.requests } }

    func answer(_ url: String, _ body: [UInt8]?, status: Int = 200, headers: [(name: String, value: String)] = []) {
        state.withLock { state in
            state.answers[url] = body.map { FetchResponse(status: status, headers: headers, body: $0) }
        }
    }

    /// The next fetches wait until the returned closure is called.
    func hold() -> @Sendable () -> Void {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        state.withLock { $0.gate = stream }
        return { continuation.finish() }
    }

    func fetch(_ request: FetchRequest) async throws -> FetchResponse {
        let gate = state.withLock { state in
            state.requests.append(request.url)
            return state.gate
        }
        if let gate { for await _ in gate {} }
        guard let answer = state.withLock({ $0.answers[request.url] }) else {
            throw FetchError(.notConnected, "nobody listens")
        }
        guard answer.body.count <= request.maximumBodyBytes else { throw FetchError(.tooLarge, "too large") }
        return answer
    }
}

/// Lets everybody in as they are, except those it is told to refuse.
final class OpenStanding: ForeignStanding {
    var refused: Reason?

    func standing(of foreign: ForeignIdentity, at now: Timestamp) -> CredentialReading {
        if let refused { return .refused(.init(refused, user: foreign.user)) }
        return .identity(
            Identity(
                kind: .jwt, credentialID: foreign.credentialID, subject: foreign.user, user: foreign.user,
                email: foreign.emailVerified ? foreign.email?.description : nil, name: foreign.name,
                groups: foreign.groups, scopes: foreign.scopes, issuer: foreign.issuerID, expiresAt: foreign.expiresAt,
                origin: .foreign(foreign)))
    }
}

/// One issuer with its keys, the tokens it would make, and a reader that knows it.
final class Scene {
    static let url = "https://idp.example.com/jwks"

    let clock = ManualClock()
    let fetcher = TableFetcher()
    let standing = OpenStanding()
    let key: PrivateKey
    let signer: TokenSigner
    let issuers: Issuers
    let reader: ForeignTokenReader

    init(
        audiences: [String] = ["wiki"], algorithms: Set<JWSAlgorithm> = [.es256],
        keys: IssuerConfiguration.KeySource = .url(Scene.url), emailTrusted: Bool = false,
        userPrefix: String = "corp:", groupsPrefix: String = "corp:", cacheEntries: Int = 16, maximumAge: Int? = nil
    ) throws {
        key = try PrivateKey.generate(.p256)
        signer = try TokenSigner(key: key)
        let configuration = IssuerConfiguration(
            id: "corp", issuer: "https://idp.example.com", audiences: audiences, keys: keys, algorithms: algorithms,
            userPrefix: userPrefix, groupsPrefix: groupsPrefix, emailTrusted: emailTrusted)
        issuers = Issuers([configuration], fetcher: fetcher, clock: clock, log: quiet)
        reader = ForeignTokenReader(issuers: issuers, standing: standing, cacheEntries: cacheEntries)
        publish([signer], maximumAge: maximumAge)
    }

    func publish(_ signers: [TokenSigner], maximumAge: Int? = nil) {
        let set = JWKSet(signers.compactMap { try? $0.publicJWK() })
        fetcher.answer(
            Self.url, set.render(), headers: maximumAge.map { [("cache-control", "max-age=\($0)")] } ?? [])
    }

    /// Publishes one key, without `kid`.
    func publishNameless(_ signer: TokenSigner) {
        let set = String(decoding: JWKSet((try? signer.publicJWK()).map { [$0] } ?? []).render(), as: UTF8.self)
        fetcher.answer(Self.url, Array(set.replacing("\"kid\":\"\(signer.keyID)\",", with: "").utf8))
    }

    func token(_ changes: [String: String?] = [:], signer other: TokenSigner? = nil) throws -> [UInt8] {
        let now = clock.now().seconds
        var members: [String: String?] = [
            "iss": "\"https://idp.example.com\"", "aud": "\"wiki\"", "sub": "\"ann\"", "exp": "\(now + 600)",
            "iat": "\(now)", "jti": "\"t-1\"",
        ]
        members.merge(changes) { $1 }
        let payload = members.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }.sorted()
        return try (other ?? signer).sign(Array("{\(payload.joined(separator: ","))}".utf8))
    }

    func read(_ token: [UInt8], source: PresentedCredential.Source = .bearer) -> CredentialReading {
        reader.read(PresentedCredential(source: source, bytes: token.span), at: clock.now())
    }
}

extension CredentialReading {
    var identity: Identity? {
        if case .identity(let identity) = self { identity } else { nil }
    }

    var refusal: Reason? {
        if case .refused(let refusal) = self { refusal.reason } else { nil }
    }

    var isNotMine: Bool {
        if case .notMine = self { true } else { false }
    }

    var pending: PendingReading? {
        if case .pending(let pending) = self { pending } else { nil }
    }
}

extension PendingReading {
    func wait() async {
        await withCheckedContinuation { continuation in onReady { continuation.resume() } }
    }
}
