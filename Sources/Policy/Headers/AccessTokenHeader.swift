/// The header that brings a provider's access token to the app of a route with `forward_access_token`. Like the identity
/// headers it is always there on such a route, empty where there is no token.
extension IdentityHeaders {
    /// As oauth2-proxy calls it.
    public static let accessTokenName = "X-Forwarded-Access-Token"

    /// The header line with its CRLF.
    ///
    /// - Parameter token: nil: there is none. One that is no token of printable ASCII is left out.
    public static func accessTokenLine(_ token: [UInt8]?) -> [UInt8] {
        var line = Array(accessTokenName.utf8)
        line.append(UInt8(ascii: ":"))
        if let token, !token.isEmpty, token.allSatisfy({ (0x21...0x7e).contains($0) }) {
            line.append(UInt8(ascii: " "))
            line += token
        }
        line += [0x0d, 0x0a]
        return line
    }
}

extension RouteDescription {
    /// All names that tell this route's app who somebody is, or speak for them.
    public var headerNames: [String] {
        headers.headerNames + (forwardsAccessToken ? [IdentityHeaders.accessTokenName] : [])
    }
}

extension Route {
    /// All names that tell its app who somebody is, or speak for them.
    public var headerNames: [String] {
        headers.headerNames + (forwardsAccessToken ? [IdentityHeaders.accessTokenName] : [])
    }
}
