internal import Core

/// Tokens in forms of somebody who is signed in: bound to the session, so that a form of one session is good in no
/// other. They stay good as long as session and process last: a form that outlives either is refused, and its page says
/// that it has to be loaded again (``PortalFailure/formExpired``).
struct FormTokens: Sendable {
    let authenticate: @Sendable ([UInt8]) throws -> [UInt8]

    func token(for session: String) throws -> String {
        Base64URL.encode(try authenticate(Array("form of session \(session)".utf8)))
    }

    func isGood(_ token: String, for session: String) -> Bool {
        guard let bytes = Base64URL.decode(token),
            let expected = try? authenticate(Array("form of session \(session)".utf8))
        else { return false }
        return constantTimeEqual(bytes, expected)
    }

    /// What is kept of the cookie that ties a form to its browser.
    func digest(ofBrowser token: String) throws -> [UInt8] {
        try authenticate(Array("browser \(token)".utf8))
    }
}
