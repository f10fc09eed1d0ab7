internal import Core
internal import Cryptography
internal import Synchronization

/// The challenges of WebAuthn. Nothing is kept of one that was only handed out, so that nobody can push out those of
/// others; one that came back is remembered for as long as it would be good, and good no second time.
///
/// ```
///   16 random bytes, 8 of the time until which it is good, 16 of the HMAC over both and what it is for
/// ```
///
/// The key lives as long as the process: after a restart a page asks for another one.
final class PasskeyChallenges: Sendable {
    /// What a challenge is for: good for nothing else.
    enum Purpose: Sendable {
        /// For whoever is about to sign in.
        case signIn
        /// The second factor of this sign-in.
        case factor(signIn: String)
        /// A new passkey in this session.
        case registration(session: String)
        /// A proof in this session.
        case proof(session: String)

        fileprivate var text: String {
            switch self {
            case .signIn: "sign in"
            case .factor(let signIn): "factor \(signIn)"
            case .registration(let session): "registration \(session)"
            case .proof(let session): "proof \(session)"
            }
        }

        /// A login page may stand open for a while.
        var lifetime: Duration {
            switch self {
            case .signIn: .seconds(3600)
            case .factor, .registration, .proof: .seconds(600)
            }
        }
    }

    private static let randomCount = 16
    private static let signedCount = 24
    private static let macCount = 16

    private struct State {
        var key: [UInt8]?
        var used = ClockCache<String, Bool>(capacity: 65_536)
    }

    private let state = Mutex(State())

    func issue(_ purpose: Purpose, _ random: any RandomSource, at now: Timestamp) throws(AccountsError) -> String {
        do {
            let key = try key(random)
            var bytes = try random.bytes(Self.randomCount)
            let end = (now + purpose.lifetime).milliseconds
            bytes += withUnsafeBytes(of: end.bigEndian) { Array($0) }
            return Base64URL.encode(bytes + (try Self.mac(bytes, purpose, key)))
        } catch {
            throw AccountsError(.store, "No challenge could be made.", cause: error)
        }
    }

    /// Uses a challenge up.
    ///
    /// - Returns: whether it was good.
    func take(_ challenge: String, _ purpose: Purpose, at now: Timestamp) -> Bool {
        guard let bytes = Base64URL.decode(challenge), bytes.count == Self.signedCount + Self.macCount,
            let key = state.withLock({ $0.key })
        else { return false }
        let signed = Array(bytes.prefix(Self.signedCount))
        guard let mac = try? Self.mac(signed, purpose, key),
            constantTimeEquals(mac, Array(bytes.suffix(Self.macCount)))
        else { return false }
        let end = signed.suffix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
        guard end > now.milliseconds else { return false }
        return state.withLock { state in
            guard state.used.find(challenge) == nil else { return false }
            state.used.insert(true, for: challenge)
            return true
        }
    }

    private func key(_ random: any RandomSource) throws -> [UInt8] {
        if let key = state.withLock({ $0.key }) { return key }
        let made = try random.bytes(32)
        return state.withLock { state in
            let key = state.key ?? made
            state.key = key
            return key
        }
    }

    private static func mac(_ bytes: [UInt8], _ purpose: Purpose, _ key: [UInt8]) throws -> [UInt8] {
        let message = bytes + Array(purpose.text.utf8)
        return Array(try HMAC.sign(hash: .sha256, key: key.span, message: message.span).prefix(macCount))
    }
}
