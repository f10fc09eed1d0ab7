import Core
import Cryptography
import Testing

@testable import Accounts

/// What no authenticator sends. Nothing here may trap, hang or take memory that it only speaks of.
@Suite struct HostilePasskeyTests {
    private static let head = Array("fmt".utf8)

    @Test(
        arguments: [
            [], [0xa0], [0xff], [0xbf], [0xbf, 0xff], [UInt8](repeating: 0x81, count: 60_000),
            [UInt8](repeating: 0xa1, count: 60_000), [UInt8](repeating: 0xc1, count: 60_000),
            [UInt8](repeating: 0x9f, count: 60_000), [UInt8](repeating: 0x5f, count: 60_000),
            // A map, an array and texts of lengths that are not there.
            [0xbb] + [UInt8](repeating: 0xff, count: 8), [0x9b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            [0xa3, 0x7b] + [UInt8](repeating: 0xff, count: 8), [0x5b, 0x7f] + [UInt8](repeating: 0xff, count: 7),
            Array(repeating: [0x9b, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff] as [UInt8], count: 6000).flatMap(\.self),
            // Members that are there twice, of another kind, or behind the end.
            [0xa3, 0x63] + head + [0x64] + Array("none".utf8) + [0x63] + head + [0x64] + Array("none".utf8) + [0x63]
                + head
                + [0x00],
            [0xa3, 0x63] + head + [0x00, 0x67] + Array("attStmt".utf8) + [0xa0, 0x68] + Array("authData".utf8) + [0x40],
            [0xa3, 0x63] + head + [0x62, 0xff, 0xfe, 0x67] + Array("attStmt".utf8) + [0xa0, 0x68]
                + Array("authData".utf8)
                + [0x40],
        ] as [[UInt8]])
    func attestationsThatAreNone(_ bytes: [UInt8]) {
        #expect(AttestationObject(bytes) == nil)
    }

    @Test func shapes() {
        let good: [[UInt8]] = [
            [0x00], [0x18, 0x18], [0x1b, 1, 2, 3, 4, 5, 6, 7, 8], [0x20], [0x40], [0x61, 0x61], [0x80], [0xa0],
            [0x82, 0x01, 0x81, 0xf5], [0xa1, 0x01, 0xf6], [0xfb, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        let bad: [[UInt8]] = [
            [], [0x18], [0x1c], [0x1f], [0x41], [0x62, 0x61], [0x81], [0xa1, 0x01], [0xc0, 0x00], [0xf8, 0x20], [0xff],
            [0x00, 0x00], [0x9a, 0xff, 0xff, 0xff, 0xff], [0xbb] + [UInt8](repeating: 0x80, count: 8),
            [UInt8](repeating: 0x81, count: 9) + [0x00],
        ]
        for bytes in good { #expect(CBORShape.isGood(bytes), "\(bytes)") }
        for bytes in bad { #expect(!CBORShape.isGood(bytes), "\(bytes)") }
        #expect(CBORShape.isGood([9, 0x00, 0x01], from: 1, count: 2) && !CBORShape.isGood([9, 0x00], from: 3))
    }

    /// What follows the head is as little to be believed.
    @Test func authenticatorData() {
        let head = [UInt8](repeating: 1, count: 32)
        let huge: [UInt8] = [0xbb, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
        func isGood(_ flags: UInt8, _ rest: [UInt8]) -> Bool {
            AuthenticatorData.isGood(head + [flags, 0, 0, 0, 1] + rest)
        }
        let credential = [UInt8](repeating: 0, count: 16) + [0, 1, 7]
        #expect(isGood(0x01, []) && isGood(0x41, credential + [0xa0]) && isGood(0x81, [0xa0]))
        #expect(isGood(0xc1, credential + [0xa0, 0xa0]))
        #expect(!isGood(0x01, [0xa0]) && !isGood(0x41, []) && !isGood(0x41, credential))
        #expect(!isGood(0x41, credential + huge) && !isGood(0x81, huge) && !isGood(0xc1, credential + [0xa0] + huge))
        #expect(!isGood(0x41, [UInt8](repeating: 0, count: 16) + [0xff, 0xff, 7, 0xa0]))
    }

    @Test func randomBytesAndCutOnes() throws {
        let random = SeededRandom(seed: 6)
        let good: [UInt8] =
            [0xa3, 0x63] + Self.head + [0x64] + Array("none".utf8) + [0x67] + Array("attStmt".utf8) + [0xa0, 0x68]
            + Array("authData".utf8) + [0x58, 0xa4] + (try random.bytes(0xa4))
        #expect(AttestationObject(good)?.format == "none")
        for count in 0..<good.count { #expect(AttestationObject(Array(good.prefix(count))) == nil) }
        #expect(AttestationObject(good + [0]) == nil)
        let verifier = WebAuthnVerifier(
            policy: PasskeyPolicy(isEnabled: true, relyingParty: "x", origins: ["https://x"]))
        let challenge = "AAAA"
        let clientData = Array(
            #"{"type":"webauthn.create","challenge":"\#(challenge)","origin":"https://x"}"#.utf8)
        for round in 0..<20_000 {
            var bytes = good
            // The right RP id and flags, so that what is behind them is looked at.
            bytes.replaceSubrange(good.count - 0xa4..<good.count - 0xa4 + 32, with: SHA256.digest("x").bytes)
            bytes[good.count - 0xa4 + 32] = 0x45
            let draw = try random.bytes(6)
            for index in 0..<1 + round % 3 {
                bytes[(Int(draw[index]) << 8 | Int(draw[index + 1])) % bytes.count] = draw[5 - index]
            }
            #expect(throws: PasskeyRefusal.self) {
                try verifier.registration(clientData: clientData, attestation: bytes, challenge: challenge)
            }
        }
    }

    @Test(arguments: [
        "", "{", "[]", "null", "{}", #"{"type":"webauthn.get"}"#,
        #"{"type":"webauthn.get","challenge":1,"origin":"https://x"}"#,
        #"{"type":"webauthn.get","type":"webauthn.create","challenge":"AAAA","origin":"https://x"}"#,
        #"{"type":"webauthn.get","challenge":"AAAA","challenge":"BBBB","origin":"https://x"}"#,
        #"{"type":"webauthn.get","challenge":"AAAA","origin":"https://x\u0000"}"#,
        String(repeating: "[", count: 4000), "{\"a\":" + String(repeating: " ", count: 5000) + "1}",
    ])
    func clientDataThatIsNone(_ text: String) {
        let verifier = WebAuthnVerifier(
            policy: PasskeyPolicy(isEnabled: true, relyingParty: "x", origins: ["https://x"]))
        #expect(throws: PasskeyRefusal.self) {
            try verifier.assertion(
                clientData: Array(text.utf8), authenticatorData: [UInt8](repeating: 0, count: 37), signature: [1],
                challenge: "AAAA", algorithm: .es256, publicKey: [UInt8](repeating: 0, count: 64))
        }
    }

    @Test func heads() {
        for count in 0..<AuthenticatorData.headCount {
            #expect(AuthenticatorData([UInt8](repeating: 0xff, count: count)) == nil)
        }
        #expect(AuthenticatorData([UInt8](repeating: 0xff, count: 37))?.counter == .max)
    }

    @Test func answersThatAreNone() {
        for text in [
            "", "{}", #"{"type":"public-key"}"#, #"{"type":"public-key","rawId":"","response":{}}"#,
            #"{"type":"public-key","rawId":"AA","response":{"clientDataJSON":"%","authenticatorData":"AA","signature":"AA"}}"#,
            #"{"type":"public-key","rawId":"AA","response":[]}"#, String(repeating: "{\"a\":", count: 10_000),
            #"{"type":"public-key","rawId":"\#(String(repeating: "A", count: 2000))","response":{"clientDataJSON":"AA","#
                + #""authenticatorData":"AA","signature":"AA"}}"#,
        ] {
            #expect(PasskeyProof(json: Array(text.utf8)) == nil)
            #expect(PasskeyRegistration(json: Array(text.utf8)) == nil)
        }
    }
}
