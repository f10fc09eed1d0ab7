public import Core

/// What one event loop owns of the rooms that Proxy does not know: made on that loop, used on it only, and replaced
/// together with the configuration.
public struct LoopContext {
    /// Turns credentials into identities.
    public let credentials: any CredentialReader
    /// Takes note of what was decided.
    public let decisions: any DecisionSink
    /// Signs for the apps; nil: no assertions.
    public let assertions: (any AssertionSigner)?
    /// Knows the access tokens of providers, for routes that forward them; nil: none does.
    public let providerTokens: (any ProviderTokenReader)?
    /// For how many identities their header lines are kept; 0: none.
    public let rememberedIdentities: Int
    /// Asked when a request is refused for its API key: nil, or how long its client has to wait before it is told what
    /// was wrong with another one.
    public let waitAfterRefusedKey: (_ client: IPAddress?, _ now: Timestamp) -> Duration?
    /// Called on the loop about once a second, and once more before the loop ends.
    public let everySecond: () -> Void

    /// Takes the parts as they are.
    public init(
        credentials: any CredentialReader, decisions: any DecisionSink, assertions: (any AssertionSigner)?,
        providerTokens: (any ProviderTokenReader)? = nil, rememberedIdentities: Int = 16_384,
        waitAfterRefusedKey: @escaping (_ client: IPAddress?, _ now: Timestamp) -> Duration? = { _, _ in nil },
        everySecond: @escaping () -> Void = {}
    ) {
        self.rememberedIdentities = rememberedIdentities
        self.credentials = credentials
        self.decisions = decisions
        self.assertions = assertions
        self.providerTokens = providerTokens
        self.waitAfterRefusedKey = waitAfterRefusedKey
        self.everySecond = everySecond
    }
}

/// Whether this instance should be given requests.
public enum Readiness: Sendable, Equatable {
    case ready
    /// What is missing, in words for the operator.
    case notReady(reasons: [String])
}

/// Why the front could not start or change.
public struct ProxyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Code: String, Sendable {
        case addressInUse, permissionDenied, cannotBind, invalidAddress, alreadyStarted, notRunning, contextFailed
        case badConfiguration, badCertificate
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// What went wrong and how to mend it.
    public let message: String

    /// - Parameter message: for people.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public static func == (left: ProxyError, right: ProxyError) -> Bool { left.code == right.code }

    public var description: String { message }
}
