extension PasswordPolicy {
    /// A sentence for the person whose password it is.
    public func explanation(of problem: PasswordProblem) -> String {
        switch problem {
        case .tooShort: "The password is too short: use at least \(minimumLength) characters."
        case .tooLong: "The password is too long: use at most \(Self.maximumBytes) bytes."
        case .notText: "The password is no text in UTF-8."
        case .controlCharacter: "The password has control characters."
        case .tooSimple: "The password is one that is tried early: use more words or other ones."
        case .aboutYou: "The password is made of your name, your address or ours."
        case .breached: "The password is known from a breach of another site: use one that nobody else has."
        }
    }
}
