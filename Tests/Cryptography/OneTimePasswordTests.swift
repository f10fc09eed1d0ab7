import Core
import Cryptography
import Testing

@Suite struct OneTimePasswordTests {
    /// RFC 6238 appendix B: the same ASCII digits, repeated to the length of the hash.
    private static func seed(_ count: Int) -> SecretBytes {
        SecretBytes(copying: (0..<count).map { UInt8(ascii: "0") + UInt8(($0 + 1) % 10) })
    }

    private static let vectors: [(Int64, String, String, String)] = [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ]

    @Test func vectorsOfRFC6238() throws {
        for (time, sha1, sha256, sha512) in Self.vectors {
            for (algorithm, length, code) in [
                (OneTimePassword.Algorithm.sha1, 20, sha1), (.sha256, 32, sha256), (.sha512, 64, sha512),
            ] {
                let password = try OneTimePassword(secret: Self.seed(length), algorithm: algorithm, digits: 8)
                let time = Timestamp(seconds: time)
                #expect(try password.code(step: password.step(at: time)) == code)
                #expect(try password.step(of: code, at: time) == password.step(at: time))
            }
        }
    }

    /// RFC 4226 appendix D.
    @Test func vectorsOfRFC4226() throws {
        let password = try OneTimePassword(secret: Self.seed(20))
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
        ]
        for (step, code) in codes.enumerated() { #expect(try password.code(step: Int64(step)) == code) }
    }

    @Test func oneStepToEitherSideAndNoMore() throws {
        let password = try OneTimePassword(secret: Self.seed(20))
        let now = Timestamp(seconds: 1_000_000_000)
        let step = password.step(at: now)
        for distance in Int64(-3)...3 {
            let code = try password.code(step: step + distance)
            #expect(try password.step(of: code, at: now) == (abs(distance) <= 1 ? step + distance : nil))
        }
    }

    @Test func hostileCodesAreNoCodes() throws {
        let password = try OneTimePassword(secret: Self.seed(20))
        for text in ["", "0", "\0\0\0\0\0\0", "１２３４５６", String(repeating: "1", count: 100_000), "-12345"] {
            #expect(try password.step(of: text, at: Timestamp(seconds: 59)) == nil)
        }
        for time in [Int64.min, -1, 0, .max] {
            _ = try password.code(step: password.step(at: Timestamp(seconds: time)))
        }
    }

    @Test func whatNoAuthenticatorHasIsRefused() {
        #expect(throws: CryptographyError.self) { try OneTimePassword(secret: SecretBytes(copying: [])) }
        #expect(throws: CryptographyError.self) { try OneTimePassword(secret: Self.seed(20), digits: 5) }
        #expect(throws: CryptographyError.self) { try OneTimePassword(secret: Self.seed(20), period: 0) }
    }

    /// RFC 4648 section 10.
    @Test func base32() {
        let vectors = [
            "": "", "f": "MY", "fo": "MZXQ", "foo": "MZXW6", "foob": "MZXW6YQ", "fooba": "MZXW6YTB",
            "foobar": "MZXW6YTBOI",
        ]
        for (plain, text) in vectors {
            #expect(Base32.encode(Array(plain.utf8)) == text)
            #expect(Base32.decode(text) == Array(plain.utf8))
            #expect(Base32.decode(text.lowercased() + "====") == Array(plain.utf8))
        }
        for bad in ["M", "MZX", "MZXW6Y", "M1", "MZ", "MY=A", "M\0", "ÄÄ"] {
            #expect(Base32.decode(bad) == nil, "\(bad)")
        }
    }
}
