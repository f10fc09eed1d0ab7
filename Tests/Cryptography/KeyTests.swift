import Core
import Testing

@testable import Cryptography

@Suite struct KeyTests {
    static let algorithms: [SignatureAlgorithm] = [
        .rsaPKCS1(.sha256), .rsaPKCS1(.sha384), .rsaPKCS1(.sha512), .rsaPSS(.sha256), .rsaPSS(.sha384),
        .rsaPSS(.sha512), .ecdsaP256, .ecdsaP384, .ecdsaP521, .ed25519,
    ]
    private static let keys = Result {
        try Dictionary(uniqueKeysWithValues: KeyType.allCases.map { ($0, try PrivateKey.generate($0)) })
    }

    static func key(_ type: KeyType) throws -> PrivateKey { try #require(try keys.get()[type]) }

    private func der(_ raw: [UInt8], width: Int) -> [UInt8]? {
        ECDSASignature.der(fromRaw: raw.span, width: width)
    }

    private func raw(_ der: [UInt8], width: Int) -> [UInt8]? {
        ECDSASignature.raw(fromDER: der.span, width: width)
    }

    @Test(arguments: algorithms) func aSignatureIsValidForItsMessageAndAlgorithmOnly(
        algorithm: SignatureAlgorithm
    ) throws {
        let key = try Self.key(algorithm.keyType)
        let message = Array("message".utf8)
        for _ in 0..<4 {
            let signature = try key.sign(message, algorithm: algorithm)
            #expect(key.publicKey.verify(signature, of: message, algorithm: algorithm))
            #expect(!key.publicKey.verify(signature, of: Array("massage".utf8), algorithm: algorithm))
            for other in Self.algorithms where other != algorithm {
                #expect(!key.publicKey.verify(signature, of: message, algorithm: other))
                #expect(try !Self.key(other.keyType).publicKey.verify(signature, of: message, algorithm: other))
            }
        }
        #expect(throws: CryptographyError(.algorithmMismatch, "")) {
            try key.sign(message, algorithm: algorithm.keyType == .rsa ? .ed25519 : .rsaPKCS1(.sha256))
        }
    }

    @Test(arguments: algorithms) func noChangedSignatureIsValid(algorithm: SignatureAlgorithm) throws {
        let key = try Self.key(algorithm.keyType)
        let message = Array("message".utf8)
        let signature = try key.sign(message, algorithm: algorithm)
        func expectRefused(_ changed: [UInt8]) {
            #expect(!key.publicKey.verify(changed, of: message, algorithm: algorithm))
        }
        var generator = SplitMix(seed: 7)
        for _ in 0..<24 {
            var changed = signature
            let bit = Int.random(in: 0..<(signature.count * 8), using: &generator)
            changed[bit / 8] ^= 1 << (bit % 8)
            expectRefused(changed)
        }
        for count in [0, 1, signature.count / 2, signature.count - 1] { expectRefused(Array(signature[..<count])) }
        expectRefused(signature + [0])
        expectRefused([0] + signature)
        expectRefused([UInt8](repeating: 0, count: signature.count))
        expectRefused([UInt8](repeating: 0xff, count: signature.count))
        #expect(key.publicKey.verify(signature, of: message, algorithm: algorithm))
    }

    @Test(arguments: [SignatureAlgorithm.ecdsaP256, .ecdsaP384, .ecdsaP521])
    func aHalfOfAnECDSASignatureIsNeitherZeroNorTheOrder(algorithm: SignatureAlgorithm) throws {
        let key = try Self.key(algorithm.keyType)
        let message = Array("message".utf8)
        let signature = try key.sign(message, algorithm: algorithm)
        let width = signature.count / 2
        let zero = [UInt8](repeating: 0, count: width)
        let one = Array(zero.dropLast()) + [1]
        let (r, s) = (Array(signature[..<width]), Array(signature[width...]))
        for changed in [zero + zero, zero + s, r + zero, one + one] {
            #expect(!key.publicKey.verify(changed, of: message, algorithm: algorithm))
        }
        if algorithm == .ecdsaP256 {
            let order = bytes("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
            for changed in [order + order, order + s, r + order] {
                #expect(!key.publicKey.verify(changed, of: message, algorithm: algorithm))
            }
        }
        // The DER form is not the form of JOSE.
        let der = try #require(self.der(signature, width: width))
        #expect(!key.publicKey.verify(der, of: message, algorithm: algorithm))
        #expect(self.raw(der, width: width) == signature)
    }

    @Test func signaturesChangeTheirFormWithoutLoss() throws {
        var generator = SplitMix(seed: 11)
        for width in [32, 48, 66] {
            for _ in 0..<300 {
                var raw = (0..<(2 * width)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                for index in 0..<Int.random(in: 0..<width, using: &generator) { raw[index] = 0 }
                let der = try #require(self.der(raw, width: width))
                #expect(self.raw(der, width: width) == raw)
                for count in 0..<der.count {
                    #expect(self.raw(Array(der[..<count]), width: width) == nil)
                }
            }
        }
    }

    @Test(arguments: KeyType.allCases) func keysGoThroughTheirEncodings(type: KeyType) throws {
        let key = try Self.key(type)
        let message = Array("message".utf8)
        let algorithm = try #require(Self.algorithms.first { $0.keyType == type })
        let again = try PrivateKey(pkcs8: try key.pkcs8())
        let signature = try again.sign(message, algorithm: algorithm)
        for copy in [
            try PublicKey(der: try key.publicKey.der()), try PublicKey(pem: try key.publicKey.pem()),
            try PublicKey(key.publicKey.components), again.publicKey,
        ] {
            #expect(copy.components == key.publicKey.components)
            #expect(copy.verify(signature, of: message, algorithm: algorithm))
        }
        #expect(throws: CryptographyError(.malformedKey, "")) { try PublicKey(der: try key.publicKey.der() + [0]) }
        #expect(throws: CryptographyError(.malformedKey, "")) {
            try PublicKey(der: Array(try key.publicKey.der().dropLast()))
        }
        let pkcs8 = try key.pkcs8().withUnsafeBytes { Array($0) }
        #expect(throws: CryptographyError(.malformedKey, "")) {
            try PrivateKey(pkcs8: SecretBytes(copying: pkcs8 + [0]))
        }
        #expect("\(key)" == "PrivateKey(\(type))")
    }

    @Test func aShortRSAKeyIsRefused() throws {
        #expect(throws: CryptographyError(.weakKey, "")) { try PrivateKey.generate(.rsa, rsaBits: 1024) }
        let modulus = [UInt8](repeating: 0xff, count: 255)
        #expect(throws: CryptographyError(.weakKey, "")) {
            try PublicKey(.rsa(modulus: modulus, exponent: [1, 0, 1]))
        }
        #expect(throws: CryptographyError(.weakKey, "")) {
            try PublicKey(.rsa(modulus: [0, 0, 0] + modulus, exponent: [1, 0, 1]))
        }
        #expect(throws: CryptographyError(.unsupportedKey, "")) {
            try PublicKey(.rsa(modulus: [UInt8](repeating: 0xff, count: 1025), exponent: [1, 0, 1]))
        }
        for exponent: [UInt8] in [[], [0], [1], [2], [1, 0, 0], [1, 0, 0, 0, 1]] {
            #expect(throws: CryptographyError(.invalidKey, "")) {
                try PublicKey(.rsa(modulus: [UInt8](repeating: 0xff, count: 256), exponent: exponent))
            }
        }
    }

    @Test(arguments: [KeyType.p256, .p384, .p521]) func aPointOffTheCurveIsRefused(type: KeyType) throws {
        guard case .elliptic(_, let x, let y) = try Self.key(type).publicKey.components else { return }
        var changed = y
        changed[changed.count - 1] ^= 1
        let zero = [UInt8](repeating: 0, count: x.count)
        for (x, y) in [(x, changed), (y, x), (zero, zero), (x, zero), (Array(x.dropFirst()), y), ([0] + x, y)] {
            #expect(throws: CryptographyError(.invalidKey, "")) { try PublicKey(.elliptic(type, x: x, y: y)) }
        }
        for other in KeyType.allCases where other != type {
            #expect(throws: CryptographyError.self) { try PublicKey(.elliptic(other, x: x, y: y)) }
        }
    }

    @Test func aPointOfEd25519IsOnTheCurveAndOfLargeOrder() throws {
        for hex in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            // Not below the prime.
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            // No x for this y.
            "0200000000000000000000000000000000000000000000000000000000000000", "", "01",
        ] {
            #expect(throws: CryptographyError(.invalidKey, "")) { try PublicKey(.ed25519(bytes(hex))) }
        }
        // The points of small order are points: the list is not of something else.
        for hex in [
            "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
            "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
        ] { #expect(Ed25519Point.isOnCurve(y: bytes(hex))) }
        for _ in 0..<20 {
            let key = try PrivateKey.generate(.ed25519)
            #expect(throws: Never.self) { try PublicKey(key.publicKey.components) }
        }
    }

    @Test func privateAndPublicHalfBelongTogether() throws {
        guard case .elliptic(_, let x, let y) = try Self.key(.p256).publicKey.components else { return }
        #expect(throws: CryptographyError(.invalidKey, "")) {
            try PrivateKey(.elliptic(.p256, x: x, y: y, scalar: try SecureRandom.secret(31)))
        }
    }

    @Test func otherTextIsNoKey() throws {
        let pem = try Self.key(.p256).publicKey.pem()
        for text in [
            "", "x", pem + pem, pem.replacing("PUBLIC", with: "PRIVATE"), pem.replacing("MF", with: "M="),
            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", String(pem.dropLast(20)),
        ] {
            #expect(throws: CryptographyError(.malformedKey, "")) { try PublicKey(pem: text) }
        }
        #expect(throws: Never.self) { try PublicKey(pem: "a comment\n" + pem.replacing("\n", with: "\r\n")) }
        // A key for key agreement (X25519) and one on a curve that is not supported (secp256k1).
        #expect(throws: CryptographyError(.unsupportedKey, "")) {
            try PublicKey(
                pem: """
                    -----BEGIN PUBLIC KEY-----
                    MCowBQYDK2VuAyEAW+m9ugi1psQFx6dtTl6J/XZ4JFP019S+oq4wyAoWPnQ=
                    -----END PUBLIC KEY-----
                    """)
        }
    }

    @Test func oneKeyServesManyThreads() async throws {
        let key = try Self.key(.p256)
        let message = Array("message".utf8)
        let signature = try key.sign(message, algorithm: .ecdsaP256)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<50).allSatisfy { round in
                        var changed = signature
                        if round % 2 == 1 { changed[5] ^= 1 }
                        let valid = key.publicKey.verify(changed, of: message, algorithm: .ecdsaP256)
                        return valid == (round % 2 == 0)
                    }
                }
            }
            for await result in group { #expect(result) }
        }
    }

    @Test func anErrorIsEqualByItsCodeAndDrainsTheQueue() throws {
        #expect(throws: CryptographyError(.malformedKey, "other words")) { try PublicKey(der: [1, 2, 3]) }
        #expect(CryptographyError.draining(.library, "x").cause.isEmpty)
        let key = try Self.key(.rsa)
        let junk = [UInt8](repeating: 1, count: 256)
        #expect(!key.publicKey.verify(junk, of: junk, algorithm: .rsaPKCS1(.sha256)))
        #expect(CryptographyError.draining(.library, "x").cause.isEmpty)
    }
}

/// A generator with a seed, so that a failure comes again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
