internal import JOSE

extension ProviderConfiguration {
    /// What we are to a provider: a digest of its kind, of our name there, and of the address where tokens are exchanged,
    /// where that is configured. What was given under another is not sent under this one.
    public static func client(kind: Kind, clientID: String, tokenEndpoint: String?) -> String {
        // None of the parts but the last may hold a line's end; the last is bounded by the text's end.
        let text = Array([kind.rawValue, tokenEndpoint ?? "", clientID].joined(separator: "\n").utf8)
        return TokenDigest.of(text.span).hex
    }

    /// The same of this one.
    public var client: String { Self.client(kind: kind, clientID: clientID, tokenEndpoint: oauth2?.tokenEndpoint) }
}
