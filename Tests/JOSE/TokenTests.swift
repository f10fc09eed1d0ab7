import Core
import Cryptography
import Testing

@testable import JOSE

let everyAlgorithm = Set(JWSAlgorithm.allCases)

func parse(_ token: String) throws -> UnverifiedToken { try UnverifiedToken(Array(token.utf8)) }
func jws(_ token: String) throws -> CompactJWS { try CompactJWS(Array(token.utf8)) }
func fetched(_ set: String) throws -> JWKSet { try JWKSet(fetched: Array(set.utf8)) }
func configured(_ set: String) throws -> JWKSet { try JWKSet(operatorConfigured: Array(set.utf8)) }
/// Without the private members, as an issuer would publish it.
func published(_ key: String) throws -> JWKSet {
    let value = try json(key)
    let members = try #require(value.members).filter { !["d", "p", "q", "dp", "dq", "qi"].contains($0.name) }
    return try fetched(
        #"{"keys":[{"# + members.map { "\"\($0.name)\":\"\($0.value.string ?? "")\"" }.joined(separator: ",") + "}]}")
}
/// A token with any header and payload, signed by `sign`.
func token(header: String, payload: String = "{}", sign: ([UInt8]) throws -> [UInt8]) rethrows -> String {
    let input = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(payload.utf8))
    return try input + "." + Base64URL.encode(sign(Array(input.utf8)))
}
func privateKey(_ text: String) throws -> PrivateKey {
    let key = try json(text)
    func number(_ name: String) -> [UInt8] { Base64URL.decode(key[name]?.string ?? "") ?? [] }
    func secret(_ name: String) -> SecretBytes { SecretBytes(copying: number(name)) }
    switch key["kty"]?.string {
    case "RSA":
        return try PrivateKey(
            .rsa(
                modulus: number("n"), exponent: number("e"), privateExponent: secret("d"), prime1: secret("p"),
                prime2: secret("q"), exponent1: secret("dp"), exponent2: secret("dq"), coefficient: secret("qi")))
    case "EC":
        let type = try #require(JWKCurve.type(named: key["crv"]?.string ?? ""))
        return try PrivateKey(.elliptic(type, x: number("x"), y: number("y"), scalar: secret("d")))
    default: return try PrivateKey(.ed25519(secret("d")))
    }
}

@Suite struct PublishedVectorTests {
    @Test(arguments: [
        (RFCVectors.rs256, RFCVectors.rs256Key), (RFCVectors.es256, RFCVectors.es256Key),
        (RFCVectors.es512, RFCVectors.es512Key), (RFCVectors.ed25519, RFCVectors.ed25519Key),
    ]) func rfc7515AndRFC8037(token: String, key: String) throws {
        let keys = try published(key)
        #expect(keys.keys.count == 1)
        let signed = try jws(token)
        #expect(throws: Never.self) { try signed.verify(with: keys.keys, allowed: everyAlgorithm) }
        #expect(throws: JOSEError(.unsupportedAlgorithm, "")) {
            try signed.verify(with: keys.keys, allowed: everyAlgorithm.subtracting([signed.algorithm]))
        }
        // The private half makes signatures that the public half accepts; deterministic ones are the RFC's own.
        let own = try privateKey(key)
        let signer = try TokenSigner(key: own, algorithm: signed.algorithm)
        let again = try CompactJWS(try signer.sign(signed.payload))
        #expect(throws: Never.self) {
            try again.verify(with: [try signer.publicJWK()], allowed: [signed.algorithm])
        }
        // The set with the private key in it, as if an issuer had published it, has no usable key.
        #expect(try fetched("{\"keys\":[\(key)]}").keys.isEmpty)
    }

    @Test func theSignaturesThatAreDeterministicAreReproduced() throws {
        let rs = try privateKey(RFCVectors.rs256Key)
        let payload = String(decoding: try jws(RFCVectors.rs256).payload, as: UTF8.self)
        #expect(
            try token(header: #"{"alg":"RS256"}"#, payload: payload) {
                try rs.sign($0, algorithm: .rsaPKCS1(.sha256))
            } == RFCVectors.rs256)
        let ed = try privateKey(RFCVectors.ed25519Key)
        #expect(
            try token(header: #"{"alg":"EdDSA"}"#, payload: "Example of Ed25519 signing") {
                try ed.sign($0, algorithm: .ed25519)
            } == RFCVectors.ed25519)
    }

    @Test func hs256OfRFC7515NeedsTheOperatorsKey() throws {
        let set = "{\"keys\":[\(RFCVectors.hs256Key)]}"
        let token = try parse(RFCVectors.hs256)
        let verified = try token.verify(with: try configured(set), allowed: [.hs256])
        #expect(verified.claims.issuer == "joe")
        #expect(verified.claims.expiresAt == Timestamp(seconds: 1_300_819_380))
        #expect(verified.claims.bool("http://example.com/is_root") == true)
        #expect(try fetched(set).keys.isEmpty)
        #expect(throws: JOSEError(.noKey, "")) { try token.verify(with: try fetched(set), allowed: [.hs256]) }
    }

    @Test func lesson85_unsecuredTokensAreRefused() throws {
        #expect(throws: JOSEError(.unsupportedAlgorithm, "")) { try parse(RFCVectors.unsecured) }
        for name in ["none", "None", "NONE", "nOnE", "none ", "", "hs256", "RS-256", "HS256\u{0}"] {
            for tail in ["", "AA"] {
                let header = Base64URL.encode(Array(#"{"alg":"\#(name.replacing("\u{0}", with: "\\u0000"))"}"#.utf8))
                #expect(throws: JOSEError(.unsupportedAlgorithm, "")) { try parse("\(header).e30.\(tail)") }
            }
        }
        for header in ["{}", #"{"alg":null}"#, #"{"alg":["HS256"]}"#, #"{"alg":1}"#, "[]", "\"HS256\""] {
            #expect(throws: JOSEError(.malformed, "")) { try parse(Base64URL.encode(Array(header.utf8)) + ".e30.AA") }
        }
    }

    @Test func encryptedTokensOfRFC7519AreRefused() {
        for token in [RFCVectors.encryptedToken, RFCVectors.nestedToken] {
            #expect(throws: JOSEError(.encrypted, "")) { try parse(token) }
        }
        let header = Base64URL.encode(Array(#"{"alg":"RS256","enc":"A128GCM"}"#.utf8))
        #expect(throws: JOSEError(.encrypted, "")) { try parse("\(header).e30.AA") }
    }

    @Test func keySetsOfRFC7517() throws {
        let keys = try fetched(RFCVectors.publicKeys)
        // The first key is for encryption.
        #expect(keys.keys.map(\.keyID) == ["2011-04-29"])
        #expect(keys.keys.map(\.algorithm) == [.rs256])
        #expect(keys.skipped.map(\.index) == [0])
        #expect(try fetched(RFCVectors.privateKeys).keys.isEmpty)
        #expect(try configured(RFCVectors.symmetricKeys).keys.map(\.keyID) == ["HMAC key used in JWS A.1 example"])
        #expect(try fetched("{\"keys\":[\(RFCVectors.certificateKey)]}").keys.count == 1)
    }

    @Test func thumbprintsOfRFC7638AndRFC8037() throws {
        #expect(
            try fetched(RFCVectors.publicKeys).keys[0].thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
        #expect(
            try published(RFCVectors.ed25519Key).keys[0].thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        #expect(try configured("{\"keys\":[\(RFCVectors.hs256Key)]}").keys[0].thumbprint == nil)
    }
}
