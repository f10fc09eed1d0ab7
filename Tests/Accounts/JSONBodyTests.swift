import Testing

@testable import Accounts

@Suite struct JSONBodyTests {
    private func body(_ text: String) -> JSONBody? { JSONBody(Array(text.utf8)) }

    @Test func membersInTheirOrder() throws {
        let body = try #require(self.body(#" {"b":1,"a":{"b":2},"\u0063":null} "#))
        #expect(body.names == ["b", "a", "c"])
        #expect(body.has("a") && !body.has("c") && !body.has("d"))
        #expect(try #require(self.body("{}")).names.isEmpty)
    }

    @Test(arguments: [
        "", "{", "[]", "null", "\"a\"", "1", #"{"a":1,}"#, #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#,
        #"{"a":{"b":1,"b":1}}"#, "\u{feff}{}", "{} {}", "{'a':1}", #"{"a":01}"#, #"{"a":NaN}"#, #"{"a":"\ud800"}"#,
        "{\"a\":\"\u{1}\"}", "// x\n{}",
    ]) func whatTwoReadersWouldReadDifferently(_ text: String) {
        #expect(body(text) == nil)
    }

    @Test func otherEncodingsAndDepths() {
        let text = Array(#"{"a":1}"#.utf8)
        #expect(JSONBody(text) != nil)
        #expect(JSONBody(text.flatMap { [$0, 0] }) == nil)
        #expect(JSONBody([0xff, 0xfe] + text.flatMap { [$0, 0] }) == nil)
        #expect(JSONBody(text.flatMap { [0, 0, 0, $0] }) == nil)
        #expect(JSONBody([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) == nil)
        let deep = String(repeating: "[", count: 60_000) + String(repeating: "]", count: 60_000)
        #expect(body("{\"a\":\(deep)}") == nil)
    }

    @Test func aPasskeyStandsUnderItsName() {
        let response = #"{"clientDataJSON":"YQ","authenticatorData":"YQ","signature":"YQ"}"#
        let proof = #"{"type":"public-key","rawId":"YQ","response":\#(response)}"#
        #expect(body(#"{"passkey":\#(proof)}"#)?.passkey("passkey") != nil)
        #expect(body(proof)?.passkey("passkey") == nil)
        #expect(body(#"{"passkey":"x"}"#)?.passkey("passkey") == nil)
        #expect(body(#"{"passkey":[]}"#)?.passkey("passkey") == nil)
    }
}
