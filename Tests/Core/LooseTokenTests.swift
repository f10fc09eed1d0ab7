import Core
import Testing

/// What an app could take for a token of an issuer, however careless it is.
struct LooseTokenTests {
    private static let issuer = "https://idp.example.com"

    private static func part(_ text: String) -> String { Base64URL.encode(Array(text.utf8)) }

    private func names(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard LooseToken.names(bytes.span, issuer: Self.issuer) else { return false }
        // That is asked first.
        let isLikely = LooseToken.isLikely(bytes.span)
        #expect(isLikely, "\(text)")
        return true
    }

    static let claims = part(#"{"iss":"https://idp.example.com","sub":"lena"}"#)
    static let header = part(#"{"alg":"none"}"#)

    @Test(arguments: [
        "\(header).\(claims).", "\(header).\(claims)", "\(header).\(claims).c2ln=", "\(header).\(claims).c2ln.",
        "\(header).\(claims).c2ln,", "\(header).\(claims).c2ln x", "\(header)=.\(claims)==.!!!!",
        "Bearer \(header).\(claims).c2ln", "token=\"\(header).\(claims).c2ln\"", "x,\(header).\(claims).c2ln",
        ".\(claims).", "\(header)..\(claims)", "\(claims).",
        part("{\r\n \"iss\" : \"https:\\/\\/idp.example.com\" }") + ".",
        part(#"{"\u0069s\u0073":"https://idp.example.co\u006d"}"#) + ".",
        part(#"{"iss":"other","iss":"https://idp.example.com"}"#) + ".",
        part(#"{"iss":"https://idp.example.com","iss":"other"}"#) + ".",
        part(#"{"a":{"b":["}"]},"iss":"https://idp.example.com"} trailing"#) + ".",
        part(#"{"a":"\"iss\":{","iss":"https://idp.example.com""#) + ".",
        // A byte order mark, and UTF-16.
        part("\u{feff}{\"iss\":\"https://idp.example.com\"}") + ".",
        Base64URL.encode(#"{"iss":"https://idp.example.com"}"#.utf8.flatMap { [$0, 0] }) + ".",
        // An encrypted token that says it outside.
        part(#"{"alg":"dir","enc":"A128GCM","iss":"https://idp.example.com"}"#) + "..a.b.c",
    ])
    func itIsOneOfTheIssuers(_ text: String) {
        #expect(names(text))
    }

    @Test(arguments: [
        "", ".", "..", "opaque", "a.b.c", "\(header).e30.c2ln", part(#"{"iss":"https://idp.example.com/"}"#) + ".x",
        part(#"{"iss":"https://idp.example.co"}"#) + ".x", part(#"{"sub":"https://idp.example.com"}"#) + ".x",
        part(#"{"act":{"iss":"https://idp.example.com"}}"#) + ".x",
        part(#"{"a":"iss\":\"https://idp.example.com"}"#) + ".x",
        part(#"{"iss":["https://idp.example.com"]}"#) + ".x", part(#""iss":"https://idp.example.com""#) + ".x",
        part(#"{"ISS":"https://idp.example.com"}"#) + ".x", part(#"{"iss":"#) + ".x", part(#"{"iss":"\u00"#) + ".x",
        part(#"{"iss":"\"#) + ".x", part(#"{"iss":"\ud800"}"#) + ".x", part(#"{"iss""#) + ".x", "ew.ew.ew", "e.y",
    ])
    func itIsNot(_ text: String) {
        #expect(!names(text))
    }

    @Test func aTokenInTheOtherAlphabetIsOne() {
        // Characters 62 and 63 stand in it.
        let claims = #"{"a":"???>>>~~~","iss":"https://idp.example.com"}"#
        let standard = Base64.encode(Array(claims.utf8))
        #expect(standard.contains("/") || standard.contains("+"))
        #expect(names("\(Self.header).\(standard).c2ln"))
        #expect(names("\(Self.header).\(Self.part(claims)).c2ln"))
    }

    @Test func aTextWithoutADotIsNoToken() {
        let bytes = Array(Self.claims.utf8)
        let isLikely = LooseToken.isLikely(bytes.span)
        #expect(!isLikely)
    }

    @Test func nothingThatIsSentTakesLong() {
        for text in [
            String(repeating: ".", count: 30_000), String(repeating: "eyJ.", count: 8000),
            Self.part(String(repeating: "{", count: 20_000)) + ".",
            Self.part("{" + String(repeating: "\"iss\":", count: 4000)) + ".",
        ] {
            #expect(!names(text))
        }
    }

    @Test func base64IsReadAsTheCarelessReadIt() {
        let wanted = Array("user:gate_key".utf8)
        for text in ["dXNlcjpnYXRlX2tleQ==", "dXNlcjpnYXRlX2tleQ", "dXNl cjpnYXRl\tX2tleQ=", "!dXNlcjpnYXRlX2tleQ===="]
        {
            let bytes = Array(text.utf8)
            let decoded = LooseToken.decode(bytes.span)
            #expect(decoded == wanted)
        }
    }
}
