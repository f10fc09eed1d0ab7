internal import COpenSSL
internal import Core

/// The MD5 scheme of BSD's crypt, as Apache's `htpasswd` writes it by default (`$apr1$`). It is weak, and taken only
/// because whole htpasswd files consist of it: the first sign-in replaces it.
struct MD5Crypt: Sendable, Equatable {
    private static let magic = Array("$apr1$".utf8)
    private static let alphabet = Array("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    var salt: [UInt8]
    /// 22 characters of crypt's base 64.
    var digest: [UInt8]

    init(parsing text: String) throws(PasswordHashRefusal) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 4, (1...8).contains(parts[2].utf8.count), PHCText.isCryptText(parts[2]),
            parts[3].utf8.count == 22, PHCText.isCryptText(parts[3])
        else { throw .malformed("apr1") }
        salt = Array(parts[2].utf8)
        digest = Array(parts[3].utf8)
    }

    func verify(_ password: UnsafeRawBufferPointer) throws(CryptographyError) -> Bool {
        var copy = Array(password)
        defer { wipe(&copy) }
        return constantTimeEquals(Self.encode(try Self.rounds(copy, salt)), digest)
    }

    private static func rounds(_ password: [UInt8], _ salt: [UInt8]) throws(CryptographyError) -> [UInt8] {
        let inner = try md5([password, salt, password])
        var parts = [password, magic, salt]
        var left = password.count
        while left > 0 {
            parts.append(Array(inner.prefix(left)))
            left -= 16
        }
        // For each bit of the length a zero or the password's first byte: an accident of the first program, kept ever
        // since.
        var bits = password.count
        while bits > 0 {
            parts.append(bits & 1 == 1 ? [0] : Array(password.prefix(1)))
            bits >>= 1
        }
        var result = try md5(parts)
        for round in 0..<1000 {
            var parts = [round & 1 == 1 ? password : result]
            if round % 3 != 0 { parts.append(salt) }
            if round % 7 != 0 { parts.append(password) }
            parts.append(round & 1 == 1 ? result : password)
            result = try md5(parts)
        }
        return result
    }

    private static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        func append(_ high: Int, _ middle: Int, _ low: Int) {
            var value = UInt32(bytes[high]) << 16 | UInt32(bytes[middle]) << 8 | UInt32(bytes[low])
            for _ in 0..<4 {
                result.append(alphabet[Int(value & 0x3f)])
                value >>= 6
            }
        }
        append(0, 6, 12)
        append(1, 7, 13)
        append(2, 8, 14)
        append(3, 9, 15)
        append(4, 10, 5)
        result.append(alphabet[Int(bytes[11] & 0x3f)])
        result.append(alphabet[Int(bytes[11] >> 6)])
        return result
    }

    private static func md5(_ parts: [[UInt8]]) throws(CryptographyError) -> [UInt8] {
        var input = Array(parts.joined())
        defer { wipe(&input) }
        var result = [UInt8](repeating: 0, count: 16)
        try check(EVP_Digest(input, input.count, &result, nil, EVP_md5(), nil), "libcrypto has no MD5")
        return result
    }
}
