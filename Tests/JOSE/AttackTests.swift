import Core
import Cryptography
import Testing

@testable import JOSE

@Suite struct AttackTests {
    private static let made = Result {
        try [JWSAlgorithm.rs256, .es256, .es384, .es512, .edDSA].map { algorithm in
            (algorithm, try PrivateKey.generate(try #require(algorithm.signature).keyType))
        }
    }
    static var keys: [JWSAlgorithm: PrivateKey] {
        get throws { Dictionary(uniqueKeysWithValues: try made.get()) }
    }

    static func key(_ algorithm: JWSAlgorithm) throws -> PrivateKey { try #require(try keys[algorithm]) }

    func signer(_ algorithm: JWSAlgorithm, keyID: String? = nil) throws -> TokenSigner {
        try TokenSigner(key: Self.key(algorithm), keyID: keyID, algorithm: algorithm)
    }

    func refused(
        _ code: JOSEError.Code, _ token: String, keys: [JWK], _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(throws: JOSEError(code, ""), sourceLocation: location) {
            try parse(token).verify(with: keys, allowed: everyAlgorithm)
        }
    }

    @Test func lesson85_aPublicKeyIsNeverAnHMACSecret() throws {
        for (algorithm, key) in try Self.keys {
            let published = [try signer(algorithm).publicJWK()]
            let der = try key.publicKey.der()
            let pem = Array(try key.publicKey.pem().utf8)
            for secret in [der, pem, Array(pem.dropLast()), JWKSet(published).render()] {
                for (name, hash) in [("HS256", HashFunction.sha256), ("HS384", .sha384), ("HS512", .sha512)] {
                    let forged = try token(header: #"{"alg":"\#(name)"}"#) {
                        try HMAC.sign(hash: hash, key: secret, message: $0)
                    }
                    refused(.keyMismatch, forged, keys: published)
                }
            }
        }
    }

    @Test func lesson85_theKeyFixesTheAlgorithm() throws {
        let everyKey = try Self.keys.keys.map { try signer($0, keyID: "k").publicJWK() }
        for (algorithm, key) in try Self.keys {
            let scheme = try #require(algorithm.signature)
            for other in JWSAlgorithm.allCases where other != algorithm {
                let forged = try token(header: #"{"alg":"\#(other.rawValue)","kid":"k"}"#) {
                    try key.sign($0, algorithm: scheme)
                }
                #expect(throws: JOSEError.self) { try parse(forged).verify(with: everyKey, allowed: everyAlgorithm) }
            }
        }
        // `alg` of the key narrows what its type allows.
        let ps = try TokenSigner(key: Self.key(.rs256), algorithm: .ps256)
        let signed = String(decoding: try ps.sign(Array("{}".utf8)), as: UTF8.self)
        refused(.keyMismatch, signed, keys: [try JWK(Self.key(.rs256).publicKey, algorithm: .rs256, keyID: ps.keyID)])
        #expect(throws: JOSEError(.unusableKey, "")) {
            try JWK(Self.key(.rs256).publicKey, algorithm: .es256)
        }
        #expect(throws: JOSEError(.unusableKey, "")) { try TokenSigner(key: Self.key(.es256), algorithm: .hs256) }
        #expect(throws: JOSEError(.unusableKey, "")) { try TokenSigner(key: Self.key(.es256), algorithm: .es384) }
    }

    @Test func lesson85_keysThatTheTokenBringsAreNotUsed() throws {
        let attacker = try PrivateKey.generate(.p256)
        let jwk = String(decoding: JWKSet([try JWK(attacker.publicKey, keyID: "k")]).render(), as: UTF8.self)
        let embedded = String(jwk.dropFirst(9).dropLast(2))
        let own = [try signer(.es256, keyID: "k").publicJWK()]
        let forged = try token(header: #"{"alg":"ES256","kid":"k","jwk":\#(embedded),"x5c":["AA=="]}"#) {
            try attacker.sign($0, algorithm: .ecdsaP256)
        }
        refused(.badSignature, forged, keys: own)
        for member in [
            #""jku":"https://evil.example/keys""#, #""x5u":"https://evil.example/c""#, #""crit":["exp"]"#,
            #""crit":[]"#, #""crit":["b64"],"b64":false"#, #""b64":true"#, #""jku":null"#,
        ] {
            let signed = try token(header: #"{"alg":"ES256","kid":"k",\#(member)}"#) {
                try Self.key(.es256).sign($0, algorithm: .ecdsaP256)
            }
            refused(.unsupportedHeader, signed, keys: own)
        }
    }

    @Test func lesson85_theKeyIDIsOnlyCompared() throws {
        let own = [try signer(.es256, keyID: "k").publicJWK()]
        for name in ["../../dev/null", "' OR 1=1 --", "", "K", "k ", "k\\u0000", "http://evil.example/"] {
            let signed = try token(header: #"{"alg":"ES256","kid":"\#(name)"}"#) {
                try Self.key(.es256).sign($0, algorithm: .ecdsaP256)
            }
            refused(.noKey, signed, keys: own)
        }
        for name in ["1", "null", "[\"k\"]", "{}"] {
            let signed = try token(header: #"{"alg":"ES256","kid":\#(name)}"#) {
                try Self.key(.es256).sign($0, algorithm: .ecdsaP256)
            }
            refused(.malformed, signed, keys: own)
        }
    }

    @Test func keysOfOneNameAreAllTriedAndAtMostSixteen() throws {
        let own = try signer(.es256, keyID: "k").publicJWK()
        let others = try (0..<16).map { _ in try JWK(PrivateKey.generate(.p256).publicKey, keyID: "k") }
        let signed = String(decoding: try signer(.es256, keyID: "k").sign(Array("{}".utf8)), as: UTF8.self)
        let verified = try parse(signed).verify(with: Array(others.dropFirst()) + [own], allowed: [.es256])
        #expect(verified.key.isSame(as: own))
        refused(.badSignature, signed, keys: others + [own])
        // Without a name every key of the type is tried.
        let nameless = try token(header: #"{"alg":"ES256"}"#) {
            try Self.key(.es256).sign($0, algorithm: .ecdsaP256)
        }
        #expect(throws: Never.self) { try parse(nameless).verify(with: [others[0], own], allowed: [.es256]) }
    }

    @Test func lesson85_psychicAndMisshapenSignaturesAreRefused() throws {
        for (algorithm, width) in [(JWSAlgorithm.es256, 32), (.es384, 48), (.es512, 66)] {
            let own = [try signer(algorithm, keyID: "k").publicJWK()]
            let header = #"{"alg":"\#(algorithm.rawValue)","kid":"k"}"#
            let key = try Self.key(algorithm)
            let zero = [UInt8](repeating: 0, count: width)
            func good(_ input: [UInt8]) throws -> [UInt8] {
                try key.sign(input, algorithm: try #require(algorithm.signature))
            }
            refused(.badSignature, token(header: header) { _ in zero + zero }, keys: own)
            refused(.badSignature, try token(header: header) { zero + (try good($0))[width...] }, keys: own)
            refused(.badSignature, try token(header: header) { (try good($0))[..<width] + zero }, keys: own)
            refused(.badSignature, try token(header: header) { try good($0) + [0] }, keys: own)
            refused(.badSignature, try token(header: header) { try good($0).dropLast() }, keys: own)
            refused(.badSignature, try token(header: header) { [0] + (try good($0)) }, keys: own)
            #expect(throws: Never.self) {
                try parse(try token(header: header, sign: good)).verify(with: own, allowed: [algorithm])
            }
        }
    }

    @Test func lesson85_tokensAreBounded() throws {
        let signer = try signer(.es256)
        var writer = JSONWriter()
        writer.member("x", String(repeating: "x", count: 6500))
        let large = try signer.sign(writer.finish())
        #expect(large.count > 8192)
        #expect(throws: JOSEError(.tooLarge, "")) { try UnverifiedToken(large) }
        #expect(throws: Never.self) { try UnverifiedToken(large, maximumBytes: 16384) }
        #expect(throws: JOSEError(.tooLarge, "")) { try parse(String(repeating: "a", count: 1 << 20)) }
    }

    @Test func lesson85_membersThatOccurTwiceAreRefused() throws {
        let own = [try signer(.es256, keyID: "k").publicJWK()]
        func signed(_ header: String, _ payload: String) throws -> String {
            try token(header: header, payload: payload) {
                try Self.key(.es256).sign($0, algorithm: .ecdsaP256)
            }
        }
        refused(.malformed, try signed(#"{"alg":"ES256","alg":"none"}"#, "{}"), keys: own)
        refused(.malformed, try signed(#"{"alg":"ES256","kid":"k","k\u0069d":"x"}"#, "{}"), keys: own)
        refused(.malformed, try signed(#"{"alg":"ES256","kid":"k"}"#, #"{"sub":"a","sub":"b"}"#), keys: own)
        refused(.malformed, try signed(#"{"alg":"ES256","kid":"k"}"#, #""no object""#), keys: own)
        refused(.malformed, try signed(#"{"alg":"ES256","kid":"k"}"#, "{} " + "{}"), keys: own)
    }

    @Test func noPartOfATokenCanBeChanged() throws {
        let own = [try signer(.es256).publicJWK()]
        let good = try signer(.es256).sign(Array(#"{"iss":"i","aud":"a","exp":9999999999}"#.utf8), type: "JWT")
        #expect(throws: Never.self) { try UnverifiedToken(good).verify(with: own, allowed: everyAlgorithm) }
        var generator = SplitMix(seed: 5)
        let alphabet = Array("ABCxyz019-_.=+/ \n".utf8) + [0, 0x80]
        for _ in 0..<2000 {
            var changed = good
            let place = Int.random(in: 0..<good.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: changed[place] = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            case 1: changed.insert(alphabet[Int.random(in: 0..<alphabet.count, using: &generator)], at: place)
            default: changed.remove(at: place)
            }
            if changed == good { continue }
            #expect(throws: JOSEError.self) {
                try UnverifiedToken(changed).verify(with: own, allowed: everyAlgorithm)
            }
        }
        for count in 0..<good.count {
            #expect(throws: JOSEError.self) {
                try UnverifiedToken(good[..<count]).verify(with: own, allowed: everyAlgorithm)
            }
        }
        for tail in ["=", "A", ".", " ", "\n", ".AA"] {
            refused(.malformed, String(decoding: good, as: UTF8.self) + (tail == "A" ? "AAA" : tail), keys: own)
        }
    }
}
