public import Core

/// Why a password is not taken; the raw value names the words for it.
public enum PasswordProblem: String, Error, Sendable, CaseIterable {
    case tooShort = "password_too_short"
    case tooLong = "password_too_long"
    case notText = "password_not_text"
    case controlCharacter = "password_control_character"
    /// One that everybody uses, or such a one with some digits or signs to it.
    case tooSimple = "password_too_simple"
    /// The user's own name or address or ours, with no more to it than that.
    case aboutYou = "password_about_you"
    /// Others have used it, and it was published.
    case breached = "password_breached"
}

/// What a new password must be: long enough, and none of those that everybody uses, nor one of these with a decoration
/// that everybody uses. No other rule: neither about kinds of characters nor about how many words (NIST SP 800-63B
/// section 3.1.1.2). That nothing is tried often is what `limits` and lockout see to.
public struct PasswordPolicy: Sendable {
    /// What must not make up the password.
    public struct Person: Sendable {
        public var email: String
        public var username: String
        public var name: String
        /// `branding.name` and the host of `public_url`.
        public var site: [String]

        /// All fields, named as they are.
        public init(email: String = "", username: String = "", name: String = "", site: [String] = []) {
            self.email = email
            self.username = username
            self.name = name
            self.site = site
        }
    }

    /// The longest in bytes.
    public static let maximumBytes = PasswordText.maximumBytes
    /// Fewer pieces than this (characters, or words and runs that count as one) are what everybody uses.
    static let minimumPieces = 3

    /// `login.password.min_length`, in Unicode code points.
    public var minimumLength: Int

    /// Twelve unless said otherwise.
    public init(minimumLength: Int = 12) {
        self.minimumLength = minimumLength
    }

    /// - Parameter password: UTF-8 as typed.
    /// - Returns: the first thing that is wrong with it; nil when nothing is.
    public func problem(with password: SecretBytes, of person: Person = Person()) -> PasswordProblem? {
        let text: PasswordText
        do throws(PasswordText.Flaw) {
            text = try PasswordText(password)
        } catch {
            switch error {
            case .tooLong: return .tooLong
            case .notText: return .notText
            case .controlCharacter: return .controlCharacter
            }
        }
        guard text.characters.unicodeScalars.count >= minimumLength else { return .tooShort }
        let pieces = PasswordPieces(text.characters, own: Self.words(of: person))
        guard pieces.count < Self.minimumPieces else { return nil }
        return pieces.usesOwnWords ? .aboutYou : .tooSimple
    }

    private static func words(of person: Person) -> [String] {
        var words = [person.email, person.username, person.name] + person.site
        for word in words {
            words += word.split { !$0.isLetter && !$0.isNumber }.map(String.init).filter { $0.count >= 4 }
        }
        return words.filter { $0.count >= 3 }
    }
}
