internal import COpenSSL
public import Core

/// HKDF over SHA-256 (RFC 5869): independent keys from one.
public enum HKDF256 {
    /// Extracts and expands.
    ///
    /// - Parameters:
    ///   - key: the input keying material; must have full entropy already (no password).
    ///   - info: what the derived key is for; another one gives an unrelated key.
    ///   - length: at most 8160 bytes.
    /// - Throws: `library`.
    public static func derive(
        key: SecretBytes, info: String, length: Int = 32
    ) throws(CryptographyError) -> SecretBytes {
        try derive(key: key, salt: [], info: Array(info.utf8), length: length)
    }

    /// As ``derive(key:info:length:)``, with a salt.
    public static func derive(
        key: SecretBytes, salt: [UInt8], info: [UInt8], length: Int
    ) throws(CryptographyError) -> SecretBytes {
        guard length > 0, length <= 255 * 32 else {
            throw CryptographyError(.library, "HKDF-SHA256 gives 1 to 8160 bytes, not \(length)")
        }
        let kdf = try check(EVP_KDF_fetch(nil, "HKDF", nil), "libcrypto has no HKDF")
        defer { EVP_KDF_free(kdf) }
        let context = try check(EVP_KDF_CTX_new(kdf), "no memory for a key derivation")
        defer { EVP_KDF_CTX_free(context) }
        var name = Array(HashFunction.sha256.name.utf8CString)
        var salt = salt
        var info = info
        var derived = [UInt8](repeating: 0, count: length)
        defer { wipe(&derived) }
        let result = key.withUnsafeBytes { key in
            name.withUnsafeMutableBufferPointer { name in
                salt.withUnsafeMutableBytes { salt in
                    info.withUnsafeMutableBytes { info in
                        var parameters = [
                            gatehouse_digest_parameter(name.baseAddress),
                            gatehouse_key_parameter(UnsafeMutableRawPointer(mutating: key.baseAddress), key.count),
                        ]
                        if !salt.isEmpty { parameters.append(gatehouse_salt_parameter(salt.baseAddress, salt.count)) }
                        if !info.isEmpty { parameters.append(gatehouse_info_parameter(info.baseAddress, info.count)) }
                        parameters.append(OSSL_PARAM_construct_end())
                        return EVP_KDF_derive(context, &derived, length, parameters)
                    }
                }
            }
        }
        try check(result, "HKDF failed")
        return SecretBytes(copying: derived)
    }
}
