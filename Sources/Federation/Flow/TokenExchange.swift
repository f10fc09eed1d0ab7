internal import Core
internal import JOSE

/// The exchange of a code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5), without the connection.
struct TokenExchange {
    static let maximumBytes = 128 * 1024

    let configuration: ProviderConfiguration

    func request(code: String, of flow: AuthorizationFlow) throws(FlowFailure) -> FetchRequest {
        guard let secret = configuration.clientSecret?.text else {
            throw FlowFailure(.codeRefused, "the client secret was not read")
        }
        var fields: [(name: String, value: String)] = [
            ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", flow.redirectURI),
            ("code_verifier", flow.secrets.verifier),
        ]
        var headers: [(name: String, value: String)] = [
            ("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded"),
        ]
        // Not every provider undoes the escapes that RFC 6749 section 2.3.1 asks for in the header; in a form all do.
        let isPlain = FormText.escape(configuration.clientID + secret) == configuration.clientID + secret
        switch isPlain || !flow.metadata.takesPost ? flow.metadata.clientAuthentication : .post {
        case .basic:
            // Each part is escaped before they are joined (RFC 6749 section 2.3.1).
            let pair = "\(FormText.escape(configuration.clientID)):\(FormText.escape(secret))"
            headers.append(("Authorization", "Basic \(Base64.encode(Array(pair.utf8)))"))
        case .post: fields += [("client_id", configuration.clientID), ("client_secret", secret)]
        }
        return FetchRequest(
            url: flow.metadata.tokenEndpoint, method: "POST", headers: headers,
            body: Array(FormText.encode(fields).utf8), timeout: Provider.timeout,
            maximumBodyBytes: Self.maximumBytes)
    }

    func tokens(_ response: FetchResponse) throws(FlowFailure) -> ProviderTokens {
        let document = try? JSONReader.parse(response.body, limits: JSONLimits(bytes: Self.maximumBytes, depth: 4))
        // GitHub says 200 and an error.
        if let error = document?["error"]?.string {
            throw FlowFailure(.codeRefused, "the token endpoint says \(AuthorizationAnswer.shown(error))")
        }
        guard response.status == 200 else {
            throw FlowFailure(.codeRefused, "the token endpoint answered \(response.status)")
        }
        guard let document, document.isObject else {
            throw FlowFailure(.malformedTokens, "the token endpoint's answer is not JSON as it must be")
        }
        guard let access = document["access_token"]?.string, ProviderTokens.isPlain(access) else {
            throw FlowFailure(.malformedTokens, "the token endpoint gave no access token")
        }
        guard document["token_type"]?.string?.lowercased() == "bearer" else {
            throw FlowFailure(.malformedTokens, "the access token is not of the type Bearer")
        }
        return ProviderTokens(access: access, id: document["id_token"]?.string)
    }
}

/// What a provider gave for a code. In memory for the time of one flow, and nowhere else.
struct ProviderTokens: Sendable {
    var access: String
    var id: String?

    /// What may stand in a header.
    static func isPlain(_ token: String) -> Bool {
        (1...16_384).contains(token.utf8.count) && token.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
