internal import Core
internal import Cryptography

/// What ties an ID token to the access token or the code that came with it (OpenID Connect Core 3.1.3.6, 3.3.2.11).
public enum TokenHash {
    /// `at_hash` or `c_hash` of a token: the left half of its digest, by the hash of the ID token's algorithm.
    ///
    /// - Parameter algorithm: `alg` of the ID token.
    public static func of(_ token: String, algorithm: JWSAlgorithm) -> String {
        let hash: HashFunction =
            switch algorithm {
            case .hs256, .rs256, .ps256, .es256: .sha256
            case .hs384, .rs384, .ps384, .es384: .sha384
            case .hs512, .rs512, .ps512, .es512, .edDSA: .sha512
            }
        let bytes = Array(token.utf8)
        let digest = hash.digest(bytes.span)
        return Base64URL.encode(digest.prefix(hash.byteCount / 2))
    }
}
