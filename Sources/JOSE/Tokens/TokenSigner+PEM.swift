public import Core
internal import Cryptography

extension TokenSigner {
    /// A signer with somebody's own key, as consoles hand it out: an unencrypted `PRIVATE KEY` block (RFC 7468
    /// section 10; Apple's `.p8`).
    ///
    /// - Throws: `unusableKey` when it is none, or does not sign with the algorithm.
    public init(pem: SecretBytes, keyID: String, algorithm: JWSAlgorithm) throws(JOSEError) {
        let key: PrivateKey
        do throws(CryptographyError) {
            key = try PrivateKey(pem: pem.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
        } catch {
            throw JOSEError(.unusableKey, error.description)
        }
        try self.init(key: key, keyID: keyID, algorithm: algorithm)
    }
}
