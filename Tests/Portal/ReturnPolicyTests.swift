import Core
import FoundationEssentials
import Testing

@testable import Portal

/// Where a sign-in may lead (CONTRACT section 4): every line of `return-addresses.txt`.
@Suite struct ReturnPolicyTests {
    struct Case: CustomTestStringConvertible {
        let input: String
        let expected: String?
        var testDescription: String { input }
    }

    static let policy = ReturnPolicy(
        publicURL: "https://auth.example.com",
        apps: [
            .init(host: "app.example.com", scheme: "https"), .init(host: "*.wild.example.com", scheme: "https"),
            .init(host: "plain.example.com", scheme: "http"),
        ])

    static func cases() throws -> [Case] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "return-addresses.txt")
        let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        return try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: " ", maxSplits: line.hasPrefix("ok") ? 2 : 1)
            let input = unescaped(String(try #require(parts.last)))
            return Case(input: input, expected: parts.count == 3 ? String(parts[1]) : nil)
        }
    }

    private static func unescaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let character = rest.first {
            let code = rest.dropFirst(2).prefix(2)
            if rest.hasPrefix("\\x"), let byte = UInt8(code, radix: 16) {
                bytes.append(byte)
                rest = rest.dropFirst(4)
            } else {
                bytes += Array(String(character).utf8)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func lesson09_anAddressThatIsNotOnTheListBecomesTheAccountPage() throws {
        let cases = try Self.cases()
        #expect(cases.count > 120)
        for one in cases {
            #expect(Self.policy.address(one.input)?.url == one.expected, "\(one.input)")
        }
    }

    @Test func lesson23_originsAreComparedByTheirParts() {
        #expect(OriginParts("https://a.example:443") == OriginParts("https://a.example"))
        #expect(OriginParts("https://a.example") != OriginParts("http://a.example"))
        #expect(OriginParts("https://a.example:8443")?.port == 8443)
        #expect(OriginParts("https://[::1]:8443")?.host == "[::1]")
        #expect(OriginParts("https://a.example/") == nil)
    }

    @Test func aPortalOnAPortOfItsOwnLendsItToTheApps() {
        let policy = ReturnPolicy(
            publicURL: "http://auth.example.com:8080", apps: [.init(host: "app.example.com", scheme: "http")])
        #expect(policy.address("http://app.example.com:8080/a")?.url == "http://app.example.com:8080/a")
        #expect(policy.address("http://app.example.com/a")?.url == "http://app.example.com/a")
        #expect(policy.address("http://app.example.com:8081/a") == nil)
        #expect(policy.address("http://auth.example.com/a") == nil)
        #expect(policy.address("/a")?.url == "http://auth.example.com:8080/a")
    }

    @Test func whatIsTooLongIsLeftOut() {
        #expect(Self.policy.address("/" + String(repeating: "a", count: ReturnPolicy.longest - 1)) != nil)
        #expect(Self.policy.address("/" + String(repeating: "a", count: ReturnPolicy.longest)) == nil)
        #expect(Self.policy.address("") == nil)
    }
}
