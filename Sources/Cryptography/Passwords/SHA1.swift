internal import COpenSSL
public import Core

/// SHA-1, for one purpose: lists of breached passwords are asked for by it. It protects nothing.
public enum SHA1 {
    /// 40 digits in upper case.
    public static func hex(_ bytes: SecretBytes) throws(CryptographyError) -> String {
        var result = [UInt8](repeating: 0, count: 20)
        let code = bytes.withUnsafeBytes { EVP_Digest($0.baseAddress, $0.count, &result, nil, EVP_sha1(), nil) }
        try check(code, "libcrypto has no SHA-1")
        return Hexadecimal.encode(result).uppercased()
    }
}
