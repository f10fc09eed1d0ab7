/// Why a text is not a password hash that Gatehouse takes. Never holds a salt or a digest.
public struct PasswordHashRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of refusal it is.
    public enum Code: String, Sendable {
        /// No known form.
        case unknown
        /// A known form, but damaged: cut short, or with characters that do not belong there.
        case malformed
        /// A known form that protects a stolen password for seconds only.
        case tooWeak
        /// Its parameters would take too much memory or time at each sign-in.
        case tooCostly
    }

    /// What kind of refusal it is; equality is on this.
    public let code: Code
    /// What is wrong and what helps, for the operator.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func malformed(_ name: String) -> PasswordHashRefusal {
        PasswordHashRefusal(.malformed, "The \(name) hash is damaged or cut short.")
    }

    static func tooCostly(_ name: String, _ limit: String) -> PasswordHashRefusal {
        PasswordHashRefusal(
            .tooCostly, "The \(name) hash asks for more than is allowed at a sign-in (\(limit)); reset this password.")
    }

    static func tooWeak(_ name: String) -> PasswordHashRefusal {
        PasswordHashRefusal(
            .tooWeak, "\(name) hashes give away their passwords in seconds, so they are not kept; reset this password.")
    }

    public var description: String { message }

    public static func == (left: PasswordHashRefusal, right: PasswordHashRefusal) -> Bool { left.code == right.code }
}
