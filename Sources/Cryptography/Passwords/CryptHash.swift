internal import CCrypt
internal import COpenSSL
internal import Core

/// A hash of crypt(3), computed by libcrypt: bcrypt, SHA-crypt, scrypt's `$7$` and yescrypt. Whatever stands in front of
/// the digest was parsed here before libcrypt sees it, so that its parameters are known and bounded.
struct CryptHash: Sendable, Equatable {
    /// What is done to the password first.
    enum Preparation: Sendable, Equatable {
        case none
        /// bcrypt reads 72 bytes and no more.
        case first72Bytes
        /// Django's: the SHA-256 in hexadecimal digits.
        case sha256Digits
        /// passlib's: the HMAC-SHA-256 under the salt, in base 64.
        case keyedSHA256(salt: [UInt8])
    }

    /// libcrypt takes no longer passwords.
    static let maximumPasswordBytes = 512

    /// The hash as libcrypt writes it; its beginning is the setting.
    var setting: String
    var preparation: Preparation
    var memoryBytes: UInt64

    func verify(_ password: UnsafeRawBufferPointer) throws(CryptographyError) -> Bool {
        var phrase = try prepare(password)
        defer { wipe(&phrase) }
        // A C string: what stands behind a zero byte would not be looked at.
        guard phrase.count <= Self.maximumPasswordBytes, !phrase.contains(0) else { return false }
        phrase.append(0)
        let computed = try Self.crypt(phrase, setting)
        return constantTimeEquals(computed, Array(setting.utf8))
    }

    private func prepare(_ password: UnsafeRawBufferPointer) throws(CryptographyError) -> [UInt8] {
        switch preparation {
        case .none: return Array(password)
        case .first72Bytes: return Array(password.prefix(72))
        case .sha256Digits:
            let copy = Array(password)
            return Array(SHA256.digest(copy).hex.utf8)
        case .keyedSHA256(let salt):
            let copy = Array(password)
            let code = try HMAC.sign(hash: .sha256, key: salt.span, message: copy.span)
            return Array(Base64.encode(code).utf8)
        }
    }

    private static func crypt(_ phrase: [UInt8], _ setting: String) throws(CryptographyError) -> [UInt8] {
        let size = MemoryLayout<crypt_data>.size
        let data = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: MemoryLayout<crypt_data>.alignment)
        data.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        defer {
            OPENSSL_cleanse(data, size)
            data.deallocate()
        }
        let result = phrase.withUnsafeBytes { phrase in
            crypt_rn(phrase.bindMemory(to: CChar.self).baseAddress, setting, data, CInt(clamping: size))
        }
        guard let result else { throw CryptographyError(.library, "crypt failed: no memory, or no such method") }
        return Array(String(cString: result).utf8)
    }
}
