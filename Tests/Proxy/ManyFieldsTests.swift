import Core
import HTTPWire
import Policy
import Testing

@testable import Proxy

/// Heads of many lines: the head's bytes are the bound that is felt, and nothing of ours gets by behind the others.
@Suite(.serialized)
struct ManyFieldsTests {
    private static let padding = (0..<240).map { "X-\($0): v" }

    @Test func aKeyBehindManyLinesIsReadAndTakenOut() async throws {
        try await withHarness(try await Harness()) { harness in
            let answer = try await harness.get(
                "/x", Self.padding + ["X-API-Key: gate_anna", "Cookie: gatehouse=c-bert"])
            #expect(answer.status == 200)
            let seen = try #require(harness.origin.requests.first)
            #expect(seen.all("X-239") == ["v"] && seen.all("Remote-User") == ["anna"])
            #expect(seen.all("X-API-Key").isEmpty && !seen.head.contains("c-bert"))
            // As for one who is let in anyway.
            let open = try await harness.get(
                "/public/x",
                Self.padding + ["X-API-Key: gate_nobody", "Authorization: Bearer gate_nobody", "Cookie: a=b"])
            #expect(open.status == 200)
            let last = try #require(harness.origin.requests.last)
            #expect(!last.head.contains("gate_nobody") && last.all("Cookie") == ["a=b"])
        }
    }

    @Test func aCheckTakesThemOutToo() async throws {
        let harness = try await Harness {
            $0.trustedProxies.networks = ["127.0.0.0/8"].compactMap(Network.init)
        }
        try await withHarness(harness) { harness in
            let described = ["X-Original-URL: https://wiki.example.com/x", "X-Original-Method: GET"]
            let answer = try await harness.get(
                "/.auth/check/nginx", Self.padding + described + ["X-API-Key: gate_anna", "Cookie: gatehouse=c; a=b"],
                host: "gatehouse.internal")
            #expect(answer.status == 200)
            #expect(answer.all("X-API-Key") == [""] && answer.all("Cookie") == ["a=b"])
            #expect(answer.all("Remote-User") == ["anna"])
        }
    }

    @Test(arguments: [(255, 200), (256, 431)])
    func theirNumberIsBoundedToo(_ count: Int, _ status: Int) async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            let lines = [String](repeating: "A: b", count: count)
            try await client.write(Harness.request("GET", "/public/x", lines))
            let answer = try await client.readAnswer()
            #expect(answer.status == status)
        }
    }
}
