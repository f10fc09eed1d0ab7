/// A credential as a request presented it, with the place where it stood.
public struct PresentedCredential: ~Escapable {
    /// Where a credential was found.
    public enum Source: UInt8, Sendable {
        /// `Gatehouse-Key` or `X-API-Key`.
        case keyHeader
        /// `Authorization: Bearer`.
        case bearer
        /// The password of `Authorization: Basic`.
        case basicPassword
        /// The cookie that apps see: good for verdicts only.
        case cookie
        /// The certificate that the client has shown by TLS, in DER; its chain was verified.
        case certificate
        /// The portal's own cookie: the only one that its pages and its API take.
        case portalCookie
    }

    /// Where it was found.
    public let source: Source
    /// The credential itself, without scheme or surrounding white space.
    public let bytes: Span<UInt8>
    /// What the readers of a chain tell each other about these bytes; nil outside of one.
    public let note: CredentialNote?

    /// Borrows `bytes`.
    @_lifetime(copy bytes)
    public init(source: Source, bytes: Span<UInt8>, note: CredentialNote? = nil) {
        self.source = source
        self.bytes = bytes
        self.note = note
    }
}

/// What one reader of a chain has computed and the next would compute again, for as long as one credential is read.
/// Not Sendable: one a chain.
public final class CredentialNote {
    /// The SHA-256 of the credential's bytes, in memory order; nil until somebody needed it.
    public var sha256: (UInt64, UInt64, UInt64, UInt64)?
    /// What the bytes were parsed to, known only to the room that parsed them; nil until somebody did.
    public var parsed: AnyObject?

    /// Nothing is noted.
    public init() {}

    /// Other bytes are read now, or none.
    public func clear() {
        sha256 = nil
        parsed = nil
    }
}

/// The three-way answer of an authenticator, and "ask again".
public enum CredentialReading: Sendable {
    /// Valid: this is who it is.
    case identity(Identity)
    /// Not ours by shape: it belongs to the app.
    case notMine
    /// Ours by shape and not valid.
    case refused(CredentialRefusal)
    /// It cannot be judged before a key set has been fetched again; see ``PendingReading``.
    case pending(PendingReading)
}

/// Why a credential of ours was refused, and whose it was as far as that is known.
public struct CredentialRefusal: Sendable, Hashable {
    /// One of the `credential_…`, `user_…` or `store_unavailable` reasons.
    public var reason: Reason
    /// The user name it belongs to, for audit; nil when unknown.
    public var user: String?
    /// The subject it belongs to, for audit; nil when unknown.
    public var subject: String?
    /// The credential's own id, for audit; nil when unknown.
    public var credentialID: String?

    /// A refusal; everything but the reason may be unknown.
    public init(_ reason: Reason, user: String? = nil, subject: String? = nil, credentialID: String? = nil) {
        self.reason = reason
        self.user = user
        self.subject = subject
        self.credentialID = credentialID
    }
}

/// A reading that waits for something outside the loop. The asker gives `onReady` a closure and then reads the same
/// credential again, once; whoever made this calls the closure exactly once, on any thread. The asker does not wait
/// longer than 150 ms and treats "still pending" as `credential_unknown`.
public struct PendingReading: Sendable {
    /// Registers what is to be called when the reading can be tried again (at once when it already can).
    public let onReady: @Sendable (_ wake: @escaping @Sendable () -> Void) -> Void

    /// - Parameter onReady: keeps the closure until the outside work has ended, well or not.
    public init(onReady: @escaping @Sendable (_ wake: @escaping @Sendable () -> Void) -> Void) {
        self.onReady = onReady
    }
}

/// Turns a credential into an identity. One instance an event loop, used on that loop only, synchronous: it may read
/// the store in place (microseconds), never wait. Several are chained: the first that does not say `notMine` decides.
public protocol CredentialReader: AnyObject {
    /// Judges `credential` at the time `now`: expiry, revocation and the owner's state are looked at in every call, a
    /// cached answer included. An internal failure is `refused(.storeUnavailable)`, never an identity.
    func read(_ credential: borrowing PresentedCredential, at now: Timestamp) -> CredentialReading

    /// Judges an identity again that this reader, or one of an earlier configuration, has made from a credential that
    /// is gone: what a new request with the same credential would get, but never `pending`. `notMine` for what another
    /// reader made. An identity without an origin nobody can judge.
    func recheck(_ identity: Identity, at now: Timestamp) -> CredentialReading
}

/// Readers asked one after the other.
public final class CredentialReaderChain: CredentialReader {
    private let readers: [any CredentialReader]
    private let note = CredentialNote()

    /// - Parameter readers: in the order in which they are asked.
    public init(_ readers: [any CredentialReader]) {
        self.readers = readers
    }

    public func read(_ credential: borrowing PresentedCredential, at now: Timestamp) -> CredentialReading {
        defer { note.clear() }
        let noting = PresentedCredential(source: credential.source, bytes: credential.bytes, note: note)
        for reader in readers {
            let reading = reader.read(noting, at: now)
            if case .notMine = reading { continue }
            return reading
        }
        return .notMine
    }

    public func recheck(_ identity: Identity, at now: Timestamp) -> CredentialReading {
        for reader in readers {
            let reading = reader.recheck(identity, at: now)
            if case .notMine = reading { continue }
            return reading
        }
        return .notMine
    }
}
