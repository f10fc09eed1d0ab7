internal import COpenSSL
public import Core

/// Time-based one-time passwords (RFC 6238 over RFC 4226).
public struct OneTimePassword: Sendable {
    /// The hash below the HMAC.
    public enum Algorithm: String, Sendable, CaseIterable {
        case sha1 = "SHA1"
        case sha256 = "SHA256"
        case sha512 = "SHA512"

        fileprivate var byteCount: Int {
            switch self {
            case .sha1: 20
            case .sha256: 32
            case .sha512: 64
            }
        }
    }

    /// How many digits a code can have.
    public static let allowedDigits = 6...8
    /// How long a step can be, in seconds.
    public static let allowedPeriods = 15...300

    private let secret: SecretBytes
    private let algorithm: Algorithm
    /// How many digits a code has.
    public let digits: Int
    /// How many seconds a step lasts.
    public let period: Int

    /// - Parameter secret: shared with the authenticator.
    /// - Throws: `weakKey` for an empty secret, `unsupportedKey` for digits or a period that no authenticator has.
    public init(
        secret: SecretBytes, algorithm: Algorithm = .sha1, digits: Int = 6, period: Int = 30
    ) throws(CryptographyError) {
        guard secret.count > 0 else { throw CryptographyError(.weakKey, "a one-time password needs a secret") }
        guard Self.allowedDigits.contains(digits), Self.allowedPeriods.contains(period) else {
            throw CryptographyError(.unsupportedKey, "a one-time password of \(digits) digits each \(period) s")
        }
        self.secret = secret
        self.algorithm = algorithm
        self.digits = digits
        self.period = period
    }

    /// The number of the step that `time` falls into.
    public func step(at time: Timestamp) -> Int64 {
        let seconds = time.seconds
        let length = Int64(period)
        return seconds >= 0 ? seconds / length : (seconds - length + 1) / length
    }

    /// The code of a step (RFC 4226 section 5.3).
    ///
    /// - Throws: `library`.
    public func code(step: Int64) throws(CryptographyError) -> String {
        let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        var code = [UInt8](repeating: 0, count: algorithm.byteCount)
        var length = 0
        let made = secret.withUnsafeBytes { key in
            EVP_Q_mac(
                nil, "HMAC", nil, algorithm.rawValue, nil, key.baseAddress, key.count, counter, counter.count, &code,
                code.count, &length)
        }
        guard made != nil, length == code.count else {
            throw CryptographyError(.library, "libcrypto has no HMAC with \(algorithm.rawValue)")
        }
        let offset = Int(code[code.count - 1] & 15)
        let number = code[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        let text = String(number % (0..<digits).reduce(UInt32(1)) { product, _ in product * 10 })
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// The step whose code `text` is, among that of `time` and its neighbours. Every one of them is compared, each in
    /// constant time.
    ///
    /// - Parameter skew: so many steps to either side.
    /// - Returns: the newest that fits; nil when none does.
    /// - Throws: `library`.
    public func step(of text: String, at time: Timestamp, skew: Int64 = 1) throws(CryptographyError) -> Int64? {
        let given = Array(text.utf8)
        let now = step(at: time)
        var found: Int64?
        for candidate in (now - skew)...(now + skew) {
            let code = Array(try code(step: candidate).utf8)
            if constantTimeEquals(code.span, given.span) { found = candidate }
        }
        return found
    }
}
