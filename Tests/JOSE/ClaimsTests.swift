import Core
import Cryptography
import Testing

@testable import JOSE

@Suite struct ClaimsTests {
    static let now = Timestamp(seconds: 1_700_000_000)

    func claims(_ text: String) throws -> Claims { try Claims(payload: Array(text.utf8), maximumBytes: 8192) }

    func validate(_ text: String, audiences: [String] = ["wiki"]) throws {
        try claims(text).validate(now: Self.now, issuer: "https://idp.example.com", audiences: audiences)
    }

    static let base = #""iss":"https://idp.example.com","aud":"wiki""#

    @Test func lesson79_aTokenIsValidatedNotPresumed() throws {
        #expect(throws: Never.self) { try validate(#"{\#(Self.base),"exp":1700000001}"#) }
        #expect(throws: JOSEError(.missingClaim, "")) { try validate("{}") }
        #expect(throws: JOSEError(.missingClaim, "")) { try validate(#"{\#(Self.base)}"#) }
        #expect(throws: JOSEError(.missingClaim, "")) { try validate(#"{"aud":"wiki","exp":1700000001}"#) }
        #expect(throws: JOSEError(.missingClaim, "")) {
            try validate(#"{"iss":"https://idp.example.com","exp":1700000001}"#)
        }
    }

    @Test(
        arguments: [
            (#""exp":1700000000"#, nil), (#""exp":1699999941"#, nil), (#""exp":1699999940"#, .expired),
            (#""exp":1699999940.5"#, nil), (#""exp":0"#, .expired), (#""exp":-1"#, .expired),
            (#""exp":"1700000001""#, .malformedClaim), (#""exp":null"#, .malformedClaim),
            (#""exp":true"#, .malformedClaim), (#""exp":1e300"#, .malformedClaim), (#""exp":1e999"#, .malformedClaim),
            (#""exp":1.7000001e9"#, nil), (#""exp":9223372036854775807"#, nil),
            (#""exp":-9223372036854775808"#, .expired),
            (#""exp":1700000100,"nbf":1700000060"#, nil), (#""exp":1700000100,"nbf":1700000061"#, .notYetValid),
            (#""exp":1700000100,"nbf":"x""#, .malformedClaim),
            (#""exp":1700000100,"nbf":9223372036854775807"#, .notYetValid),
            (#""exp":1700000100,"iat":1700000060"#, nil), (#""exp":1700000100,"iat":1700000061"#, .issuedInFuture),
            (#""exp":1700000100,"iat":[]"#, .malformedClaim),
        ] as [(String, JOSEError.Code?)]) func timesHaveALeewayOfAMinute(times: String, code: JOSEError.Code?) throws
    {
        let text = "{\(Self.base),\(times)}"
        guard let code else {
            #expect(throws: Never.self) { try validate(text) }
            return
        }
        #expect(throws: JOSEError(code, "")) { try validate(text) }
    }

    @Test(
        arguments: [
            (#""wiki""#, nil), (#"["other","wiki"]"#, nil), (#""Wiki""#, .wrongAudience), (#""wiki ""#, .wrongAudience),
            ("[]", .wrongAudience), (#"["wik","i"]"#, .wrongAudience), (#"["wiki",1]"#, .malformedClaim),
            ("1", .malformedClaim), ("null", .malformedClaim), (#"{"wiki":1}"#, .malformedClaim),
            (#"[["wiki"]]"#, .malformedClaim), (#""w\u0069ki""#, nil),
        ] as [(String, JOSEError.Code?)]) func theAudienceIsOneOfOurs(audience: String, code: JOSEError.Code?) throws
    {
        let text = #"{"iss":"https://idp.example.com","exp":1700000001,"aud":\#(audience)}"#
        if let code {
            #expect(throws: JOSEError(code, "")) { try validate(text) }
        } else {
            #expect(throws: Never.self) { try validate(text) }
        }
        #expect(throws: JOSEError.self) { try validate(text, audiences: []) }
    }

    @Test(
        arguments: [
            (#""https://idp.example.com/""#, .wrongIssuer), (#""https://IDP.example.com""#, .wrongIssuer),
            (#""""#, .wrongIssuer), (#"["https://idp.example.com"]"#, .malformedClaim), ("null", .malformedClaim),
        ] as [(String, JOSEError.Code)]) func theIssuerIsComparedByteForByte(issuer: String, code: JOSEError.Code)
        throws
    {
        #expect(throws: JOSEError(code, "")) {
            try validate(#"{"iss":\#(issuer),"aud":"wiki","exp":1700000001}"#)
        }
    }

    @Test func claimsAreReadByType() throws {
        let claims = try claims(
            #"{"s":"x","l":["a","b"],"m":["a",1],"b":true,"n":12,"t":1700000000.25,"o":{"p":["q"]},"jti":"j"}"#)
        #expect(claims.string("s") == "x")
        #expect(claims.strings("s") == ["x"])
        #expect(claims.strings("l") == ["a", "b"])
        #expect(claims.strings("m") == nil)
        #expect(claims.bool("b") == true)
        #expect(claims.bool("s") == nil)
        #expect(claims.integer("n") == 12)
        #expect(claims.time("t") == Timestamp(milliseconds: 1_700_000_000_250))
        #expect(claims.value("o")?["p"]?.strings == ["q"])
        #expect(claims.tokenID == "j")
        #expect(claims.string("l") == nil)
        #expect(claims.audiences == nil)
    }
}

@Suite struct KeySetTests {
    @Test func whatIsPublishedIsRead() throws {
        let signers = try KeyType.allCases.map { try TokenSigner(key: .generate($0)) }
        let set = JWKSet(try signers.map { try $0.publicJWK() } + [try JWK(symmetric: SecureRandom.secret(32))])
        let again = try JWKSet(fetched: set.render())
        #expect(again.keys.count == signers.count)
        #expect(!String(decoding: set.render(), as: UTF8.self).contains("oct"))
        for (signer, key) in zip(signers, again.keys) {
            #expect(key.keyID == signer.keyID)
            #expect(key.keyID == key.thumbprint)
            #expect(set.contains(key))
            let token = try UnverifiedToken(try signer.sign(Array("{}".utf8), type: "at+jwt"))
            let verified = try token.verify(with: again, allowed: everyAlgorithm)
            #expect(verified.key.isSame(as: key))
            #expect(verified.hasType("at+jwt"))
            #expect(throws: Never.self) { try verified.require(type: "at+jwt") }
            #expect(throws: JOSEError(.wrongType, "")) { try verified.require(type: "jwt") }
        }
        #expect(!again.contains(set.keys[set.keys.count - 1]))
    }

    @Test(arguments: [
        #"{"kty":"EC","crv":"P-256K","x":"AA","y":"AA"}"#, #"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        #"{"kty":"OKP","crv":"X25519","x":"W-m9ugi1psQFx6dtTl6J_XZ4JFP019S-oq4wyAoWPnQ"}"#,
        #"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        #"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, #"{"kty":"RSA","e":"AQAB"}"#, #"{"kty":"new"}"#, "{}", "1", "null",
        #"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#, #"{"kty":1}"#,
    ]) func aKeyThatCannotBeUsedIsLeftOut(key: String) throws {
        let good = try JWK(PrivateKey.generate(.p256).publicKey)
        let rendered = String(decoding: JWKSet([good]).render(), as: UTF8.self).dropFirst(9).dropLast(2)
        let set = try fetched("{\"keys\":[\(key),\(rendered)]}")
        #expect(set.keys.map(\.keyID) == [good.keyID])
        #expect(set.skipped.map(\.index) == [0])
    }

    @Test(arguments: [
        (#""use":"enc""#, 0), (#""use":"sig""#, 1), (#""use":1"#, 0), (#""key_ops":["verify"]"#, 1),
        (#""key_ops":["encrypt"]"#, 0), (#""key_ops":[]"#, 0), (#""key_ops":"verify""#, 0), (#""alg":"ES256""#, 1),
        (#""alg":"ES384""#, 0), (#""alg":"HS256""#, 0), (#""alg":"none""#, 0), (#""alg":"ECDH-ES""#, 0),
        (#""kid":1"#, 0), (#""d":"AA""#, 0), (#""x5u":"https://evil.example/""#, 1), (#""unknown":{}"#, 1),
    ]) func useKeyOperationsAndAlgorithmAreHonoured(member: String, count: Int) throws {
        let point =
            #""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
            + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#
        #expect(try fetched("{\"keys\":[{\(point),\(member)}]}").keys.count == count)
    }

    @Test(arguments: ["", "[]", "{}", #"{"keys":{}}"#, #"{"keys":1}"#, #"{"keys":[],"keys":[]}"#, "<html>"])
    func whatIsNoKeySetIsAnError(text: String) {
        #expect(throws: JOSEError(.malformed, "")) { try fetched(text) }
    }

    @Test func lesson80_aKeySetIsBounded() throws {
        let long = #"{"keys":[],"x":""# + String(repeating: "x", count: JWKSet.defaultMaximumBytes) + "\"}"
        #expect(throws: JOSEError(.tooLarge, "")) { try fetched(long) }
        #expect(throws: JOSEError(.tooLarge, "")) {
            try fetched(#"{"keys":"# + String(repeating: "[", count: 100_000))
        }
    }

    @Test func aShortSecretIsNoKey() throws {
        #expect(throws: JOSEError(.unusableKey, "")) { try JWK(symmetric: SecretBytes(copying: Array("secret".utf8))) }
        #expect(throws: JOSEError(.unusableKey, "")) {
            try JWK(symmetric: try SecureRandom.secret(32), algorithm: .hs512)
        }
        #expect(try JWK(symmetric: SecureRandom.secret(48)).supports(.hs384))
        #expect(try !JWK(symmetric: SecureRandom.secret(48)).supports(.hs512))
        #expect(try !JWK(symmetric: SecureRandom.secret(64)).supports(.rs256))
    }

    @Test func tokensAreKnownByTheirDigest() {
        let bytes = Array("abc".utf8)
        let digest = TokenDigest.of(bytes)
        let again = TokenHasher().digest(of: bytes)
        #expect(digest == again)
        #expect(digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}
