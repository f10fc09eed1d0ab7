/// What went wrong with somebody else's issuer. Equality is on the code.
public struct FederationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: String, Sendable {
        case unusableKeySet, wrongIssuer
    }

    /// What kind it was.
    public let code: Code
    /// What happened, for the log; holds no credential.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }

    public static func == (left: FederationError, right: FederationError) -> Bool {
        left.code == right.code
    }
}
