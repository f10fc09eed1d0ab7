import Core
import Synchronization

/// A time that stands still.
struct FixedClock: WallClock {
    func now() -> Timestamp { Timestamp(seconds: 1_760_000_000) }
}

/// Knows a few credentials by heart. One object may serve several loops only because it never changes.
final class StubReader: CredentialReader {
    private let readings: [String: @Sendable (_ attempt: Int) -> CredentialReading]
    private var attempts: [String: Int] = [:]

    private let withdrawn: Withdrawn

    init(
        _ readings: [String: @Sendable (_ attempt: Int) -> CredentialReading], withdrawn: Withdrawn = Withdrawn()
    ) {
        self.readings = readings
        self.withdrawn = withdrawn
    }

    func recheck(_ identity: Identity, at now: Timestamp) -> CredentialReading {
        withdrawn.recheck(identity)
    }

    func read(_ credential: borrowing PresentedCredential, at now: Timestamp) -> CredentialReading {
        var bytes: [UInt8] = []
        for index in credential.bytes.indices { bytes.append(credential.bytes[index]) }
        let text = String(decoding: bytes, as: UTF8.self)
        let isCookie = credential.source == .cookie || credential.source == .portalCookie
        guard let reading = readings[(credential.source == .portalCookie ? "portal:" : "") + text] else {
            if isCookie { return .refused(CredentialRefusal(.credentialUnknown)) }
            return text.hasPrefix("gate_") ? .refused(CredentialRefusal(.credentialUnknown)) : .notMine
        }
        attempts[text, default: 0] += 1
        return reading(attempts[text] ?? 0)
    }
}

/// Who is not let in any more; shared by the readers of a test.
final class Withdrawn: Sendable {
    private let reasons = Mutex<[String: Reason]>([:])
    private let count = Mutex(0)

    var rechecks: Int { count.withLock { $0 } }

    func withdraw(_ user: String, _ reason: Reason) { reasons.withLock { $0[user] = reason } }

    func recheck(_ identity: Identity) -> CredentialReading {
        count.withLock { $0 += 1 }
        guard let reason = reasons.withLock({ $0[identity.user] }) else { return .identity(identity) }
        return .refused(CredentialRefusal(reason))
    }
}

/// Remembers what it was told; shared by the loops of a test.
final class Records: Sendable {
    struct Content: Sendable {
        var denials: [Denial] = []
        var allowed: [(user: String, route: String)] = []
        var used: [String] = []
        var seconds = 0
    }

    private let content = Mutex(Content())

    var denials: [Denial] { content.withLock { $0.denials } }
    var allowed: [String] { content.withLock { $0.allowed.map(\.user) } }
    var used: [String] { content.withLock { $0.used } }
    var seconds: Int { content.withLock { $0.seconds } }

    func add(_ denial: Denial) { content.withLock { $0.denials.append(denial) } }
    func add(_ user: String, _ route: String) { content.withLock { $0.allowed.append((user, route)) } }
    func addUse(_ user: String) { content.withLock { $0.used.append(user) } }
    func second() { content.withLock { $0.seconds += 1 } }
}

final class RecordingSink: DecisionSink {
    func keepsRequest(at now: Timestamp) -> Bool { true }

    private let records: Records

    init(_ records: Records) { self.records = records }

    func denied(_ denial: Denial) { records.add(denial) }

    func allowed(_ identity: Identity, route: String, address: IPAddress?, at now: Timestamp) {
        records.add(identity.user, route)
    }

    func used(_ identity: Identity, address: IPAddress?, at now: Timestamp) {
        records.addUse(identity.user)
    }
}

final class StubSigner: AssertionSigner {
    struct Failure: Error {}
    let fails: Bool

    init(fails: Bool = false) { self.fails = fails }

    func assertion(
        for identity: Identity, audience: String, groups: [String], groupsTruncated: Bool, at now: Timestamp
    ) throws -> [UInt8] {
        if fails { throw Failure() }
        return Array("signed.\(identity.user).\(audience)".utf8)
    }
}

enum Sample {
    static let anna = Identity(
        kind: .apiKey, credentialID: "k1", subject: "s-anna", user: "anna", email: "anna@example.com", name: "Anna",
        groups: ["staff"])
    static let bert = Identity(
        kind: .apiKey, credentialID: "k2", subject: "s-bert", user: "bert", email: nil, name: "", groups: [])
    static let foreign = Identity(
        kind: .jwt, credentialID: "j1", subject: "corp:1", user: "corp:carl", groups: ["staff"], issuer: "corp")
    static let ownToken = Identity(
        kind: .session, credentialID: "s1", subject: "s-anna", user: "anna", groups: ["staff"], session: "s1")

    /// By a session's cookie.
    static func cookie(_ user: String, session: String, plane: SessionOrigin.Plane = .app) -> Identity {
        Identity(
            kind: .session, credentialID: session, subject: "s-\(user)", user: user, groups: ["staff"],
            session: session,
            origin: .session(SessionOrigin(session: session, subject: "s-\(user)", plane: plane)))
    }

    static let annaKey = "gate_anna"
    static let bertKey = "gate_bert"
    static let foreignToken = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJjb3JwIn0.c2ln"
    static let expiredForeignToken = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJjb3JwIiwieCI6MX0.c2ln"
    static let unknownToken = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJvdGhlciJ9.c2ln"
    static let accessToken = token(issuer: "https://auth.example.com", extra: "")
    static let revokedAccessToken = token(issuer: "https://auth.example.com", extra: ",\"jti\":\"gone\"")

    static func token(issuer: String, extra: String) -> String {
        "eyJhbGciOiJFUzI1NiJ9."
            + Base64URL.encode(Array("{\"iss\":\"\(issuer)\"\(extra)}".utf8)) + ".c2ln"
    }

    static var readings: [String: @Sendable (_ attempt: Int) -> CredentialReading] {
        [
            annaKey: { _ in .identity(anna) },
            bertKey: { _ in .identity(bert) },
            "gate_revoked": { _ in .refused(CredentialRefusal(.credentialRevoked, user: "anna")) },
            "gate_store": { _ in .refused(CredentialRefusal(.storeUnavailable)) },
            foreignToken: { _ in .identity(foreign) },
            expiredForeignToken: { _ in .refused(CredentialRefusal(.credentialExpired)) },
            "c-anna": { _ in .identity(cookie("anna", session: "s1")) },
            "c-anna-before": { _ in .identity(cookie("anna", session: "s1")) },
            "c-bert": { _ in .identity(cookie("bert", session: "s2")) },
            "c-store": { _ in .refused(CredentialRefusal(.storeUnavailable)) },
            "portal:p-anna": { _ in .identity(cookie("anna", session: "s1", plane: .portal)) },
            accessToken: { _ in .identity(ownToken) },
            revokedAccessToken: { _ in .refused(CredentialRefusal(.credentialRevoked)) },
        ]
    }
}
