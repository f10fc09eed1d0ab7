internal import Core
internal import Cryptography
internal import LMDB

/// What a cookie's secret leads to, under its SHA-256.
struct SessionSecretRecord: JSONRecord, Equatable {
    enum Kind: String, Codable {
        case portal, app

        var plane: SessionOrigin.Plane {
            switch self {
            case .portal: .portal
            case .app: .app
            }
        }
    }

    var session: String
    var kind: Kind
    var generation: UInt64
    /// When it ends before its session does; only an app's secret that has been replaced.
    var endsAt: Timestamp?
    /// What had been proved in the session when the secret was replaced: it never opens more than it did. Nil while it
    /// has not been.
    var before: ProvedInSession?
}

/// What a session's rules are judged by besides its user.
struct ProvedInSession: Codable, Equatable, Sendable {
    var amr: [String]
    var factors: Int
    var authenticatedAt: Timestamp?
    var secondFactorAt: Timestamp?

    init(_ session: SessionRecord) {
        amr = session.amr
        factors = session.factors
        authenticatedAt = session.authenticatedAt
        secondFactorAt = session.secondFactorAt
    }

    /// Leaves a session no more than what had been proved, and no more than it still has.
    func limit(_ session: inout SessionRecord) {
        if factors <= session.factors {
            session.amr = amr
            session.factors = factors
        }
        session.authenticatedAt = Self.earlier(authenticatedAt, session.authenticatedAt)
        session.secondFactorAt = Self.earlier(secondFactorAt, session.secondFactorAt)
    }

    /// Nil, never, comes before everything.
    private static func earlier(_ left: Timestamp?, _ right: Timestamp?) -> Timestamp? {
        guard let left, let right else { return nil }
        return min(left, right)
    }
}

/// The two secrets of a browser's session, to be set as cookies: the only time that their text is there. They are
/// independent, so that an app which sees the one knows nothing of the other.
public struct SessionSecrets: Sendable {
    /// For the cookie `NAME-portal`, host-only.
    public let portal: String
    /// For the cookie `NAME`, with `cookie.domain`.
    public let app: String
    /// For the cookies' `Max-Age`; nil: they end with the browser.
    public let remainsFor: Duration?
}

/// The text of a secret that we hand out once and keep as its SHA-256: cookies, refresh tokens, links, devices.
///
/// ```
///   43 characters of base64url: 32 random bytes
/// ```
struct SecretText: Sendable {
    static let byteCount = 32
    static let count = 43

    let text: String
    let digest: [UInt8]

    init(_ random: any RandomSource) throws(AccountsError) {
        do {
            text = Base64URL.encode(try random.bytes(Self.byteCount))
        } catch {
            throw AccountsError(.store, "The system gave no random bytes.", cause: error)
        }
        digest = Self.digest(of: text)
    }

    /// What is kept of a secret.
    static func digest(of text: String) -> [UInt8] { SHA256.digest(text).bytes }

    /// The digest of what somebody presented; nil when it is no secret of ours by its form.
    static func digest(presented text: String) -> [UInt8]? {
        guard text.utf8.count == count, Base64URL.decode(text)?.count == byteCount else { return nil }
        return digest(of: text)
    }

    /// Worth a look-up.
    static func isWellFormed(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count == count else { return false }
        for index in bytes.indices {
            switch bytes[index] {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): continue
            default: return false
            }
        }
        return true
    }
}

/// Two secrets that are not stored yet.
struct NewSessionSecrets: Sendable {
    let portal: SecretText
    let app: SecretText

    init(_ random: any RandomSource) throws(AccountsError) {
        portal = try SecretText(random)
        app = try SecretText(random)
    }

    func handedOut(for session: SessionRecord, at now: Timestamp) -> SessionSecrets {
        SessionSecrets(
            portal: portal.text, app: app.text,
            remainsFor: session.remembered == true ? session.expiresAt - now : nil)
    }
}

extension Store {
    /// How long an app's secret that was replaced is still good for checks, for what it was good for before: requests
    /// with it may be under way.
    static let replacedSecretLasts = Duration.seconds(10)

    /// Gives a session its secrets, or new ones in place of those it has. The portal's old one ends at once.
    ///
    /// - Parameter session: changed; to be put by the caller, behind this.
    func install(
        _ new: NewSessionSecrets, for session: inout SessionRecord, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws {
        let stored = try Tables.sessions.get(session.id, in: transaction)
        for old in session.secrets ?? [] {
            guard let digest = Hexadecimal.decode(old),
                var record = try Tables.sessionSecrets.get(digest, in: transaction)
            else { continue }
            switch record.kind {
            case .portal: try Tables.sessionSecrets.delete(digest, in: transaction)
            case .app:
                let end = now + Self.replacedSecretLasts
                record.endsAt = end
                record.before = ProvedInSession(stored ?? session)
                try Tables.sessionSecrets.put(record, for: digest, in: transaction)
                try scheduleSweep(.sessionSecret(old), at: end, in: transaction)
            }
        }
        let generation = (session.generation ?? 0) &+ 1
        session.generation = generation
        session.secrets = []
        for (secret, kind) in [(new.portal, SessionSecretRecord.Kind.portal), (new.app, .app)] {
            let record = SessionSecretRecord(session: session.id, kind: kind, generation: generation)
            guard try Tables.sessionSecrets.insert(record, for: secret.digest, in: transaction) else {
                throw AccountsError(.store, "The random generator gave the same secret twice.")
            }
            session.secrets?.append(Hexadecimal.encode(secret.digest))
        }
    }

    /// Removes the secrets of a session whose record goes.
    func removeSecrets(of session: SessionRecord, in transaction: borrowing WriteTransaction) throws {
        for secret in session.secrets ?? [] {
            guard let digest = Hexadecimal.decode(secret) else { continue }
            try Tables.sessionSecrets.delete(digest, in: transaction)
        }
    }
}
