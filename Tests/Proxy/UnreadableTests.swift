import Core
import Policy
import Testing

@testable import Proxy

/// Requests that no head could be made of: how they are refused, and what the log and the audit are told.
@Suite(.serialized)
struct UnreadableTests {
    private static let host = "Host: wiki.example.com\r\n"

    private func trusting(_ change: @escaping (inout Configuration) -> Void = { _ in }) async throws -> Harness {
        try await Harness {
            $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init)
            change(&$0)
        }
    }

    private func send(_ harness: Harness, _ text: String) async throws -> String {
        let client = try harness.connect()
        try await client.write(text)
        return try await client.readToEnd()
    }

    /// nginx makes a 500 of everything but 2xx, 401 and 403, and what its client sends comes along with each check.
    @Test(arguments: [
        "GET /.auth/check/nginx HTTP/1.0\r\n\(host)X: a\u{1}\r\n\r\n",
        "GET /.auth/check/nginx HTTP/1.1\r\n\(host)X: a\u{7f}\r\n\r\n",
        "GET /.auth/check/nginx HTTP/1.1\r\n\(host)Expect: x\r\n\r\n",
        "GET /.auth/check/nginx?route=wiki HTTP/1.1\r\n\(host)\(String(repeating: "A: b\r\n", count: 1100))\r\n",
        "GET /.auth/check/nginx HTTP/1.1\r\n\(host)X: \(String(repeating: "a", count: 33_000))\r\n\r\n",
        "TRACE /.auth/check/nginx HTTP/1.1\r\n\(host)\r\n", "GET /.auth/check/nginx HTTP/1.9\r\n\(host)\r\n",
        "GET /.auth/check/nginx HTTP/1.1\r\n\(host)\(host)\r\n",
    ])
    func nginxIsToldNothingBut403(_ text: String) async throws {
        try await withHarness(try await trusting()) { harness in
            let all = try await send(harness, text)
            #expect(all.hasPrefix("HTTP/1.1 403 "), "\(all)")
            #expect(all.contains("\r\nX-Request-Id: "))
            #expect(harness.records.denials.count == 1)
            #expect(harness.records.denials.first?.asked?.shape == "check")
        }
    }

    @Test func whoMayNotAskIsAnsweredAsAnybody() async throws {
        let text = "GET /.auth/check/nginx HTTP/1.1\r\n\(Self.host)X: a\u{1}\r\n\r\n"
        try await withHarness(try await Harness()) { harness in
            let all = try await send(harness, text)
            #expect(all.hasPrefix("HTTP/1.1 400 "))
        }
        let apps = try await trusting { $0.listeners[0].serve = [.apps] }
        try await withHarness(apps) { harness in
            let all = try await send(harness, text)
            #expect(all.hasPrefix("HTTP/1.1 400 "))
            #expect(harness.records.denials.first?.asked?.shape == "inline")
        }
    }

    @Test(arguments: ["/.auth/check/haproxy", "/x"])
    func whoReadsNoBodyIsSentNone(_ path: String) async throws {
        let method = path == "/x" ? "HEAD" : "GET"
        try await withHarness(try await trusting()) { harness in
            for line in ["X: a\u{1}\r\n", "Expect: x\r\n", "X: \(String(repeating: "a", count: 33_000))\r\n"] {
                let all = try await send(harness, "\(method) \(path) HTTP/1.1\r\n\(Self.host)\(line)\r\n")
                #expect(all.hasPrefix("HTTP/1.1 4") && all.hasSuffix("\r\n\r\n"), "\(all)")
            }
        }
    }

    @Test func theListHasNoWordForIt() async throws {
        try await withHarness(try await Harness()) { harness in
            let texts = [
                "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\(Self.host)\(Self.host)\r\n",
                "GET / HTTP/1.1\r\n\(Self.host)Expect: x\r\n\r\n", "GET / HTTP/2.0\r\n\(Self.host)\r\n",
                "GET /.auth/check/unknown HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n",
                "GET /.auth/nothing HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n",
            ]
            for text in texts {
                let all = try await send(harness, text)
                #expect(!all.contains("\"code\"") && !all.contains("Gatehouse-Reason") && !all.contains("malformed"))
                #expect(all.contains("\"detail\":\"The") && all.hasSuffix("\"}\n"), "\(all)")
            }
        }
    }

    @Test func theAuditIsToldWhatCouldBeRead() async throws {
        try await withHarness(try await trusting()) { harness in
            let cases: [(String, Reason?, [String])] = [
                ("GET /a/../b?secret HTTP/1.1\r\n\(Self.host)\r\n", .pathRefused, ["GET", "/a/../b"]),
                ("TRACE /x HTTP/1.1\r\n\(Self.host)\r\n", .methodRefused, ["TRACE", "/x"]),
                (
                    "GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n\(Self.host)\r\n", .tooLarge,
                    ["GET", "/" + String(repeating: "a", count: 1023)]
                ),
                (
                    "GET /long HTTP/1.1\r\n\(Self.host)X: \(String(repeating: "a", count: 40_000))\r\n\r\n", .tooLarge,
                    ["GET", "/long"]
                ),
                ("GET /twice HTTP/1.1\r\n\(Self.host)\(Self.host)\r\n", nil, ["GET", "/twice"]),
                (
                    "GET /.auth/reset-password/SECRET/../x HTTP/1.1\r\n\(Self.host)\r\n", .pathRefused,
                    [
                        "GET", "/.auth/reset-password/…",
                    ]
                ),
            ]
            for (text, reason, parts) in cases {
                let all = try await send(harness, text)
                let denial = try #require(harness.records.denials.last)
                #expect(denial.reason == reason)
                // Who a trusted proxy asks for is not known.
                #expect(denial.address == nil && denial.user == nil && denial.route == nil)
                #expect(all.contains("X-Request-Id: \(denial.requestID)\r\n"))
                let asked = try #require(denial.asked)
                #expect([asked.method, asked.path] == parts && asked.host == "wiki.example.com")
                #expect(asked.verdict == "deny")
            }
            #expect(harness.records.denials.count == cases.count)
            #expect(harness.log.contains("code=dot_segment"))
            #expect(harness.log.contains("host=wiki.example.com method=TRACE path=/x"))
            #expect(harness.log.all.allSatisfy { !$0.contains("secret") && !$0.contains("SECRET") })
        }
    }

    @Test func garbageIsNothingToTellOf() async throws {
        try await withHarness(try await Harness()) { harness in
            let all = try await send(harness, "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}")
            #expect(all.hasPrefix("HTTP/1.1 400 "))
            let denial = try #require(harness.records.denials.first)
            #expect(denial.reason == nil && denial.address == IPAddress("127.0.0.1"))
            #expect(denial.asked?.method == "" && denial.asked?.path == "" && denial.asked?.host == "")
        }
    }
}
