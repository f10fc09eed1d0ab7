import Core
import Cryptography
import Foundation
import JOSE
import Testing

@testable import Federation

@Suite struct ForeignTokenReaderTests {
    @Test func aTokenOfTheIssuerIsAnIdentity() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let token = try scene.token([
            "email": "\"Ann@Example.com\"", "email_verified": "true", "name": "\"Ann Lee\"",
            "groups": "[\"staff\",\"bad group\",\"\"]", "scope": "\"wiki:read wiki:write\"",
        ])
        let identity = try #require(scene.read(token).identity)
        #expect(identity.user == "corp:ann")
        #expect(identity.email == "Ann@example.com")
        #expect(identity.groups == ["corp:staff"])
        #expect(identity.scopes == ["wiki:read", "wiki:write"])
        #expect(identity.credentialID == "t-1")
        #expect(identity.issuer == "corp")
    }

    @Test func whatIsNotOursByShapeIsTheApps() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        #expect(scene.read(Array("opaque".utf8)).isNotMine)
        #expect(scene.read([]).isNotMine)
        #expect(scene.read(try scene.token(["iss": "\"https://other.example.com\""])).isNotMine)
        #expect(scene.read(try scene.token(["iss": "\"https://idp.example.com/\""])).isNotMine)
        #expect(scene.read(try scene.token(["iss": nil])).isNotMine)
        #expect(scene.read(try scene.token(), source: .keyHeader).isNotMine)
        #expect(scene.read(try scene.token(), source: .basicPassword).isNotMine)
    }

    @Test(arguments: [
        ["aud": "\"other\""], ["aud": nil], ["aud": "[]"], ["exp": nil], ["exp": "1"], ["nbf": "9999999999"],
        ["iat": "9999999999"], ["sub": nil], ["sub": "\"\""], ["sub": "7"], ["sub": "\"a\\u000ab\""],
        // Next line, to those who take a header's bytes for Latin-1.
        ["sub": "\"a\\u0085b\""],
        // A header's reader drops the spaces at its ends.
        ["sub": "\"ann \""], ["sub": "\" ann\""], ["sub": "\" \""],
    ])
    func lesson85_claimsAreChecked(changes: [String: String?]) async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let reading = scene.read(try scene.token(changes))
        #expect(reading.refusal == (changes["exp"] == "1" ? .credentialExpired : .credentialUnknown))
    }

    @Test func noIssuerNamesTheUserOfACertificate() async throws {
        let scene = try Scene(userPrefix: "")
        await scene.issuers.refreshDue()
        #expect(scene.read(try scene.token(["sub": "\"admin\""])).identity?.user == "admin")
        for user in ["cert:admin", "CERT:admin"] {
            #expect(scene.read(try scene.token(["sub": "\"\(user)\""])).refusal == .credentialUnknown)
        }
        // The prefix and the claim together.
        let half = try Scene(userPrefix: "ce")
        await half.issuers.refreshDue()
        #expect(half.read(try half.token(["sub": "\"rt:admin\""])).refusal == .credentialUnknown)
    }

    /// For us it is no token, for a careless app it may be one: it is the issuer's, whoever made it.
    @Test func lesson85_aTokenOfTheIssuerThatCannotBeReadIsRefusedAndNotTheApps() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let text = String(decoding: try scene.token(), as: UTF8.self)
        let parts = text.split(separator: ".").map(String.init)
        let none = Base64URL.encode(Array(#"{"alg":"none"}"#.utf8))
        let twice = Base64URL.encode(Array(#"{"iss":"https://idp.example.com","sub":"ann","sub":"root"}"#.utf8))
        let huge = String(
            decoding: try scene.token(["padding": "\"" + String(repeating: "a", count: 9000) + "\""]), as: UTF8.self)
        for forged in [
            "\(none).\(parts[1]).", "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1])", text + "=", text + ".",
            text + " x", "\(parts[0]).\(twice).\(parts[2])", "\(parts[0]).\(parts[1]).!!!", huge,
        ] {
            #expect(scene.read(Array(forged.utf8)).refusal == .credentialUnknown, "\(forged)")
        }
        let other = Base64URL.encode(Array(#"{"iss":"https://other.example.com","sub":"ann","sub":"root"}"#.utf8))
        #expect(scene.read(Array("\(none).\(other).".utf8)).isNotMine)
        #expect(scene.read(Array("\(none).\(parts[1]).".utf8), source: .keyHeader).isNotMine)
    }

    @Test(arguments: ["{\n \"alg\":\"ES256\"}", "{\r\n\"alg\":\"ES256\"}", " {\"alg\":\"ES256\"}"])
    func aHeaderWithWhiteSpaceIsAHeader(_ header: String) async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let payload = String(decoding: try scene.token(), as: UTF8.self).split(separator: ".")[1]
        let signed = Base64URL.encode(Array(header.utf8)) + "." + payload
        let signature = try scene.key.sign(Array(signed.utf8).span, algorithm: .ecdsaP256)
        #expect(scene.read(Array((signed + "." + Base64URL.encode(signature)).utf8)).identity?.user == "corp:ann")
    }

    /// What is no address exactly is held against it, and counts for nothing.
    @Test(arguments: ["\"Ann@Example.com.\"", "\" ann@example.com\"", "[\"ann@example.com\"]", "\"ann@example.com \""])
    func lesson10_anAddressInOtherWordsIsStillHeldAgainstIt(_ email: String) async throws {
        let scene = try Scene(emailTrusted: true)
        await scene.issuers.refreshDue()
        let identity = try #require(scene.read(try scene.token(["email": email])).identity)
        guard case .foreign(let foreign)? = identity.origin else {
            Issue.record("it has no origin")
            return
        }
        #expect(foreign.email == EmailAddress("ann@example.com"))
        #expect(!foreign.emailVerified && identity.email == nil)
    }

    @Test func lesson85_anotherKeyOrAlgorithmIsRefused() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let stranger = try TokenSigner(key: try PrivateKey.generate(.p256), keyID: scene.signer.keyID)
        #expect(scene.read(try scene.token(signer: stranger)).refusal == .credentialUnknown)
        let narrow = try Scene(algorithms: [.rs256])
        await narrow.issuers.refreshDue()
        #expect(narrow.read(try narrow.token()).refusal == .credentialUnknown)
    }

    @Test func lesson79_aTamperedPayloadIsRefused() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        var parts = String(decoding: try scene.token(), as: UTF8.self).split(separator: ".").map(String.init)
        let payload = try #require(Base64URL.decode(parts[1]))
        let changed = String(decoding: payload, as: UTF8.self).replacingOccurrences(of: "\"ann\"", with: "\"bob\"")
        parts[1] = Base64URL.encode(Array(changed.utf8))
        #expect(scene.read(Array(parts.joined(separator: ".").utf8)).refusal == .credentialUnknown)
    }

    @Test func anUnverifiedEmailIsNotShown() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        #expect(scene.read(try scene.token(["email": "\"a@b.de\""])).identity?.email == nil)
        #expect(
            scene.read(try scene.token(["email": "\"a@b.de\"", "email_verified": "\"true\""])).identity?.email == nil)
        let trusting = try Scene(emailTrusted: true)
        await trusting.issuers.refreshDue()
        #expect(trusting.read(try trusting.token(["email": "\"a@b.de\""])).identity?.email == "a@b.de")
    }

    @Test func reservedGroupsAreNeverForeign() async throws {
        let scene = try Scene(groupsPrefix: "")
        await scene.issuers.refreshDue()
        let token = try scene.token(["groups": "[\"gatehouse-admins\",\"Gatehouse-Admins\",\"staff\"]"])
        #expect(scene.read(token).identity?.groups == ["staff"])
        let tricky = try Scene(groupsPrefix: "gate")
        await tricky.issuers.refreshDue()
        #expect(try tricky.read(tricky.token(["groups": "[\"house-admins\"]"])).identity?.groups == [])
    }

    @Test func aRememberedTokenEndsWithItsTime() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let token = try scene.token()
        #expect(scene.read(token).identity != nil)
        scene.clock.advance(by: .seconds(659))
        #expect(scene.read(token).identity != nil)
        scene.clock.advance(by: .seconds(2))
        #expect(scene.read(token).refusal == .credentialExpired)
    }

    @Test func lesson39_aRememberedTokenEndsWhenItsKeyLeavesTheSet() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let token = try scene.token(["exp": "9999999999"])
        #expect(scene.read(token).identity != nil)
        let successor = try TokenSigner(key: try PrivateKey.generate(.p256))
        scene.publish([scene.signer, successor])
        scene.clock.advance(by: .seconds(301))
        await scene.issuers.refreshDue()
        #expect(scene.read(token).identity != nil)
        scene.publish([successor])
        scene.clock.advance(by: .seconds(301))
        await scene.issuers.refreshDue()
        #expect(scene.read(token).identity == nil)
    }

    @Test func theLocalAccountsAreAskedEachTime() async throws {
        let scene = try Scene()
        await scene.issuers.refreshDue()
        let token = try scene.token()
        #expect(scene.read(token).identity != nil)
        scene.standing.refused = .userDisabled
        #expect(scene.read(token).refusal == .userDisabled)
    }

    @Test(arguments: [0, 16])
    func withoutAndWithCache(entries: Int) async throws {
        let scene = try Scene(cacheEntries: entries)
        await scene.issuers.refreshDue()
        let token = try scene.token()
        for _ in 0..<3 { #expect(scene.read(token).identity?.user == "corp:ann") }
    }
}
