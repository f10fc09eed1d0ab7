import Core
import Policy
import Testing

@testable import Proxy

/// Whoever judges and whoever serves must have read the same request.
@Suite(.serialized)
struct SameRequestTests {
    private static let key = "X-API-Key: gate_anna"

    /// Paths that two layers have read differently somewhere: what passes arrives as the very same bytes, and both
    /// shapes come to the same verdict.
    @Test func lesson47_bothShapesJudgeTheBytesThatAreForwarded() async throws {
        let paths = [
            "/x", "/x/", "/%61dmin/x", "/admin;x/y", "/admin", "/admin/", "/ADMIN/x", "/admin%3bx", "/admin;",
            "/public/x",
            "/public/%61", "/public;a/x", "/public/..;/admin", "/public/%2e%2e/admin", "/public//admin", "/publi%63/x",
            "/a%20b", "/a%23b", "/a%3fb", "/a?b=/public/x", "/public?/admin", "/public/x%3f/../admin", "/%2fadmin",
            "/.%61uth/x",
            "/x;/public/", "/public/%252e", "/a.b/..c/...",
        ]
        let harness = try await Harness { $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init) }
        try await withHarness(harness) { harness in
            for path in paths {
                let before = harness.origin.requests.count
                let inline = try await harness.get(path, [Self.key])
                let lines = [Self.key, "X-Original-URL: https://wiki.example.com\(path)", "X-Original-Method: GET"]
                let check = try await harness.get("/.auth/check/nginx", lines, host: "internal")
                let arrived = harness.origin.requests.dropFirst(before)
                if inline.status == 200 {
                    #expect(check.status == 200)
                    #expect(arrived.map(\.requestLine) == ["GET \(path) HTTP/1.1"])
                } else {
                    #expect(inline.status == 400 || inline.status == 403)
                    #expect(check.status == 403)
                    #expect(arrived.isEmpty)
                    #expect(check["Gatehouse-Reason"] == inline["Gatehouse-Reason"])
                }
                if path.contains("dmin") && !path.contains("?") { #expect(inline.status != 200 || path == "/ADMIN/x") }
            }
        }
    }

    @Test func lesson05_theQueryOpensNothing() async throws {
        try await withHarness(try await Harness()) { harness in
            for path in ["/x?/public/x", "/x?a=/public/", "/x?public/**", "/?/public/x#"] {
                let answer = try await harness.get(path)
                #expect(answer.status == 401 || answer.status == 400)
            }
            #expect(harness.origin.requests.isEmpty)
        }
    }

    /// What was judged is what is taken off: the same bytes but for their escapes.
    @Test func lesson56_aPrefixThatIsReadOtherwiseIsNotTakenOff() async throws {
        let harness = try await Harness { $0.routes[0].stripPrefix = "/public" }
        try await withHarness(harness) { harness in
            for path in ["/public;a/x", "/publicx", "/Public/x", "/%50ublic/x", "/public%3ba/x"] {
                let answer = try await harness.get(path, [Self.key])
                #expect(answer.status == 400)
                #expect(answer["Gatehouse-Reason"] == "path_refused")
            }
            #expect(harness.origin.requests.isEmpty)
            #expect(try await harness.get("/%70ublic/x").status == 200)
            #expect(harness.origin.requests.map(\.requestLine) == ["GET /x HTTP/1.1"])
        }
    }

    @Test func aPrefixOfSlashesThatAreKeptEncodedIsNone() {
        func strip(_ path: String) -> String? {
            Array(path.utf8).withUnsafeBytes { bytes in
                RequestRewriting.strip(Array("/a/b".utf8), from: bytes, ignoringCase: true)
                    .map { String(decoding: $0, as: UTF8.self) }
            }
        }
        for path in ["/a%2fb/x", "%2fa/b/x", "/a%5cb/x", "/a/b%2fx", "/a/", "/a/%6", "/a/%", "/a/%zz", "/a/bx"] {
            #expect(strip(path) == nil, "\(path)")
        }
        #expect(strip("/A/%42/x%2fy") == "/x%2fy" && strip("/%61/b") == "/" && strip("/a/b/") == "/")
    }

    @Test func lesson66_addressesInAnswersComeFromTheConfigurationOnly() async throws {
        let harness = try await Harness { $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init) }
        try await withHarness(harness) { harness in
            let answer = try await harness.get(
                "/",
                ["X-Forwarded-Host: evil.example.net", "X-Forwarded-Proto: gopher", "Forwarded: host=evil.example.net"])
            #expect(answer.body.contains("\"login_url\":\"https://auth.example.com/.auth/login\""))
            #expect(!(answer.head + answer.body).contains("evil"))
        }
    }

    @Test func lesson82_whatWeSayOfTheClientSurvivesItsConnectionHeader() async throws {
        try await withHarness(try await Harness()) { harness in
            let names = "X-Forwarded-For, x-forwarded-proto, X-FORWARDED-HOST, Via, traceparent"
            let answer = try await harness.get("/", [Self.key, "Connection: \(names)"])
            #expect(answer.status == 200)
            let seen = harness.origin.requests[0]
            for name in ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via", "traceparent"] {
                #expect(seen.all(name).count == 1)
            }
        }
    }

    @Test func lesson83_aTargetThatBeginsWithNoSlashIsNone() async throws {
        try await withHarness(try await Harness()) { harness in
            for target in ["public/x", "?x", "wiki.example.com/public/x", "/", "//public/x"] where target != "/" {
                let client = try harness.connect()
                try await client.write("GET \(target) HTTP/1.1\r\nHost: wiki.example.com\r\n\r\n")
                let all = try await client.readToEnd()
                #expect(all.hasPrefix("HTTP/1.1 400 "))
            }
        }
    }
}
