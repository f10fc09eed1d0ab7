internal import Core
internal import JOSE

/// The exchange of a code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5), without the connection.
struct TokenExchange {
    static let maximumBytes = 128 * 1024

    let configuration: ProviderConfiguration

    func request(code: String, of flow: AuthorizationFlow) throws(FlowFailure) -> FetchRequest {
        try request(
            [
                ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", flow.redirectURI),
                ("code_verifier", flow.secrets.verifier),
            ], to: flow.metadata)
    }

    /// A request to the token endpoint that says who we are.
    func request(
        _ grant: [(name: String, value: String)], to metadata: ProviderMetadata
    ) throws(FlowFailure) -> FetchRequest {
        guard let secret = configuration.clientSecret?.text else {
            throw FlowFailure(.codeRefused, "the client secret was not read")
        }
        var fields = grant
        var headers: [(name: String, value: String)] = [
            ("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded"),
        ]
        // Not every provider undoes the escapes that RFC 6749 section 2.3.1 asks for in the header; in a form all do.
        let isPlain = FormText.escape(configuration.clientID + secret) == configuration.clientID + secret
        switch isPlain || !metadata.takesPost ? metadata.clientAuthentication : .post {
        case .basic:
            // Each part is escaped before they are joined (RFC 6749 section 2.3.1).
            let pair = "\(FormText.escape(configuration.clientID)):\(FormText.escape(secret))"
            headers.append(("Authorization", "Basic \(Base64.encode(Array(pair.utf8)))"))
        case .post: fields += [("client_id", configuration.clientID), ("client_secret", secret)]
        }
        return FetchRequest(
            url: metadata.tokenEndpoint, method: "POST", headers: headers,
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
        return ProviderTokens(
            access: access, id: document["id_token"]?.string,
            refresh: document["refresh_token"]?.string.flatMap { ProviderTokens.isPlain($0) ? $0 : nil },
            lifetime: ProviderTokens.lifetime(document["expires_in"]))
    }
}

/// What a provider gave for a code. In memory for the time of one flow; what outlives it is in ``GrantedTokens``.
struct ProviderTokens: Sendable {
    var access: String
    var id: String?
    var refresh: String?
    /// In seconds; nil: the provider does not say.
    var lifetime: Int64?

    /// - Parameters:
    ///   - asked: before the request went out, so that no token is taken for good when it is not any more.
    ///   - client: to whom it was given.
    func granted(at asked: Timestamp, to client: String) -> GrantedTokens {
        GrantedTokens(
            access: SecretBytes(copying: access.utf8), refresh: refresh.map { SecretBytes(copying: $0.utf8) },
            expiresAt: lifetime.map { asked + .seconds($0) }, client: client)
    }

    /// `expires_in` (RFC 6749 section 5.1), which some providers write as a text. What is no number, or negative, is a
    /// token that has expired; a very large one is ten years.
    static func lifetime(_ value: JSONValue?) -> Int64? {
        guard let value, !value.isNull else { return nil }
        let seconds = value.double ?? value.string.flatMap { Int64($0) }.map { Double($0) }
        return Int64(min(max(seconds ?? 0, 0), 315_360_000))
    }

    /// What may stand in a header.
    static func isPlain(_ token: String) -> Bool {
        (1...16_384).contains(token.utf8.count) && token.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
