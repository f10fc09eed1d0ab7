internal import COpenSSL

/// Why a cryptographic operation gave no result. Never holds key material or plain text.
public struct CryptographyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Code: String, Sendable {
        /// The system's generator of random bytes gave none.
        case randomUnavailable
        /// The text or the bytes are not a key in the form that was asked for.
        case malformedKey
        /// A key, but of a type or curve that is not supported.
        case unsupportedKey
        /// An RSA key below 2048 bits, or a symmetric one that is too short.
        case weakKey
        /// The numbers of the key do not belong together: a point off its curve, a private half of another key.
        case invalidKey
        /// The key cannot be used with the algorithm.
        case algorithmMismatch
        /// The sealed bytes were not sealed with this key and this associated data, or were changed.
        case sealBroken
        /// libcrypto refused an operation that should have worked.
        case library
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// What went wrong, for the log.
    public let message: String
    /// What libcrypto had to say, oldest first; empty when it said nothing.
    public let cause: String

    /// - Parameter message: for people; must not hold a secret.
    public init(_ code: Code, _ message: String, cause: String = "") {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String {
        cause.isEmpty ? "\(code.rawValue): \(message)" : "\(code.rawValue): \(message) (\(cause))"
    }

    public static func == (left: CryptographyError, right: CryptographyError) -> Bool { left.code == right.code }

    /// An error with what stands in this thread's libcrypto queue, which is empty afterwards: an entry left there would
    /// be blamed on the next operation of the thread.
    static func draining(_ code: Code, _ message: String) -> CryptographyError {
        var reasons: [String] = []
        while true {
            let number = ERR_get_error()
            if number == 0 { break }
            if reasons.count < 4, let text = ERR_reason_error_string(number) { reasons.append(String(cString: text)) }
        }
        return CryptographyError(code, message, cause: reasons.joined(separator: "; "))
    }
}

/// Throws when a libcrypto function did not answer 1.
func check(
    _ result: CInt, _ message: @autoclosure () -> String, as code: CryptographyError.Code = .library
) throws(CryptographyError) {
    if result != 1 { throw .draining(code, message()) }
}

/// Throws when a libcrypto function answered NULL.
func check(
    _ pointer: OpaquePointer?, _ message: @autoclosure () -> String, as code: CryptographyError.Code = .library
) throws(CryptographyError) -> OpaquePointer {
    guard let pointer else { throw .draining(code, message()) }
    return pointer
}
