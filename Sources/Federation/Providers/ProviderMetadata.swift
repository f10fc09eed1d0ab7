internal import Core
internal import JOSE

/// Where a provider's endpoints are, and what it can (OpenID Connect Discovery 1.0 section 3, RFC 8414).
struct ProviderMetadata: Sendable, Equatable {
    /// How we say who we are at the token endpoint.
    enum ClientAuthentication: Sendable, Equatable {
        case basic, post
    }

    var authorizationEndpoint: String
    var tokenEndpoint: String
    var userInfoEndpoint: String?
    var endSessionEndpoint: String?
    var clientAuthentication: ClientAuthentication
    /// It also takes the secret in the form.
    var takesPost: Bool
    /// Its answers always say whose they are (RFC 9207).
    var namesIssuer: Bool
    /// What an answer's `iss` must be where there is one.
    var answersIssuer: String
    /// It knows the scope by which refresh tokens are asked for (OpenID Connect Core 11).
    var offersOfflineAccess = false

    /// Longer documents are refused.
    static let maximumBytes = 256 * 1024

    /// Reads a discovery document.
    ///
    /// - Parameter issuer: as configured; the document must be its own.
    init(discovered bytes: [UInt8], issuer: String) throws(FlowFailure) {
        let document: JSONValue
        do throws(JOSEError) {
            document = try JSONReader.parse(bytes, limits: JSONLimits(bytes: Self.maximumBytes))
        } catch {
            throw FlowFailure(.badMetadata, "the discovery document is not JSON: \(error)")
        }
        // Without this comparison one issuer's document could speak for another (OpenID Connect Discovery 4.3).
        guard document["issuer"]?.equals(issuer) == true else {
            throw FlowFailure(.badMetadata, "the discovery document names another issuer than \(issuer)")
        }
        let local = Self.isLoopback(issuer)
        authorizationEndpoint = try Self.endpoint("authorization_endpoint", of: document, local: local)
        tokenEndpoint = try Self.endpoint("token_endpoint", of: document, local: local)
        userInfoEndpoint =
            document["userinfo_endpoint"] == nil
            ? nil : try Self.endpoint("userinfo_endpoint", of: document, local: local)
        endSessionEndpoint = document["end_session_endpoint"]?.string.flatMap {
            Self.isUsable($0, local: local) ? $0 : nil
        }
        let methods = document["token_endpoint_auth_methods_supported"]?.strings ?? ["client_secret_basic"]
        if methods.contains("client_secret_basic") {
            clientAuthentication = .basic
        } else if methods.contains("client_secret_post") {
            clientAuthentication = .post
        } else {
            throw FlowFailure(.badMetadata, "the provider takes neither client_secret_basic nor client_secret_post")
        }
        takesPost = methods.contains("client_secret_post")
        namesIssuer = document["authorization_response_iss_parameter_supported"]?.bool == true
        answersIssuer = issuer
        offersOfflineAccess = document["scopes_supported"]?.strings?.contains("offline_access") ?? false
    }

    /// GitHub, which publishes none for its OAuth apps; below `issuer` also its Enterprise Server.
    init(gitHub issuer: String) {
        authorizationEndpoint = issuer + "/login/oauth/authorize"
        tokenEndpoint = issuer + "/login/oauth/access_token"
        userInfoEndpoint = nil
        endSessionEndpoint = nil
        clientAuthentication = .post
        takesPost = true
        namesIssuer = false
        answersIssuer = issuer + "/login/oauth"
    }

    /// One that publishes none, as the operator has written it down.
    init(_ configured: ProviderConfiguration.OAuth2, issuer: String) {
        authorizationEndpoint = configured.authorizationEndpoint
        tokenEndpoint = configured.tokenEndpoint
        userInfoEndpoint = configured.userInfoEndpoint
        endSessionEndpoint = nil
        switch configured.authentication {
        case .basic: clientAuthentication = .basic
        case .post: clientAuthentication = .post
        }
        takesPost = clientAuthentication == .post
        namesIssuer = false
        answersIssuer = issuer
    }

    private static func endpoint(
        _ name: String, of document: JSONValue, local: Bool
    ) throws(FlowFailure) -> String {
        guard let url = document[name]?.string, isUsable(url, local: local) else {
            throw FlowFailure(.badMetadata, "the discovery document has no usable \(name)")
        }
        return url
    }

    /// A provider on this machine, which may name addresses on this machine.
    static func isLoopback(_ issuer: String) -> Bool { issuer.hasPrefix("http://") && isUsable(issuer, local: true) }

    /// https, without user information and fragment; what is sent there is secret.
    ///
    /// - Parameter local: also http to this machine. A provider elsewhere must not have us ask what listens here.
    static func isUsable(_ url: String, local: Bool) -> Bool {
        guard url.utf8.count <= 2048, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
            !url.utf8.contains(where: { "#\\\"<>`{}|^".utf8.contains($0) }), let colon = url.firstRange(of: "://")
        else { return false }
        let authority = url[colon.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard !authority.isEmpty, !authority.contains("@"), authority.hasPrefix("[") == authority.contains("]")
        else { return false }
        switch url[..<colon.lowerBound] {
        case "https": return true
        case "http" where local:
            let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
            return Loopback.isHost(String(host))
        default: return false
        }
    }
}
