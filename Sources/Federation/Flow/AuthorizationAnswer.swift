/// What the browser brought back from the provider (RFC 6749 section 4.1.2, RFC 9207): nobody vouches for any of it.
public struct AuthorizationAnswer: Sendable {
    public var code: String?
    public var issuer: String?
    public var error: String?
    /// What the person wants to be called, as far as a form beside the answer said so (``AppleUser``).
    public var name: String?

    /// As it stood in the query or the form.
    public init(code: String?, issuer: String?, error: String?, name: String? = nil) {
        self.code = code
        self.issuer = issuer
        self.error = error
        self.name = name
    }

    /// The code, if the answer is one to this flow. The issuer comes first: an error of somebody else's says nothing
    /// either.
    func judged(for metadata: ProviderMetadata) throws(FlowFailure) -> String {
        if let issuer {
            guard issuer.utf8.elementsEqual(metadata.answersIssuer.utf8) else {
                throw FlowFailure(.wrongIssuer, "the answer is of another issuer")
            }
        } else if metadata.namesIssuer {
            throw FlowFailure(.wrongIssuer, "the provider names itself in its answers, and this one does not")
        }
        if let error {
            // Apple has a word of its own for somebody who turns back.
            let isDenied = error == "access_denied" || error == "user_cancelled_authorize"
            throw FlowFailure(isDenied ? .denied : .answeredWithError, "the provider says \(Self.shown(error))")
        }
        guard let code, (1...4096).contains(code.utf8.count), code.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
        else { throw FlowFailure(.malformedAnswer, "the answer holds no code") }
        return code
    }

    /// An error code of somebody else's, as far as it may stand in a log (RFC 6749 section 5.2).
    static func shown(_ error: String) -> String {
        let isPlain =
            (1...64).contains(error.utf8.count)
            && error.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5f }
        return isPlain ? error : "an error of no known form"
    }
}
