import Core
import HTTPWire
import Logging
import NIOCore
import Policy
import Testing

@testable import Proxy

/// CONTRACT section 3 as a value: a head in, a credential and what the app must not see out.
struct CredentialResolverTests {
    enum Outcome: Equatable {
        case none, conflict, pending
        case identity(String)
        case refused(Reason)
    }

    /// - Returns: the outcome and the names of the fields that were taken out.
    private func resolve(
        _ lines: [String], sources: CredentialSources = .all, forwardsForeign: Bool = true, waited: Bool = false,
        readings: [String: @Sendable (Int) -> CredentialReading] = Sample.readings
    ) throws -> (outcome: Outcome, removed: [String]) {
        let snapshot = try Snapshot.compile(Harness.routes)
        let site = try Site(
            Configuration(
                listeners: [], publicURL: "https://auth.example.com", snapshot: snapshot,
                routes: [RouteParameters(upstream: nil)], upstreams: []),
            names: NameThreads(SystemResolver()), logger: Logger(label: "test"))
        let bytes = Array(Harness.request("GET", "/", lines).utf8)
        return try bytes.withUnsafeBytes { bytes in
            var head = RequestHead()
            var parser = RequestParser()
            let result = parser.parse(bytes, into: &head)
            try #require(result == .complete)
            var resolver = CredentialResolver(
                head: head, bytes: bytes, scan: HeadScan(head.fields), site: site, sources: sources,
                forwardsForeign: forwardsForeign, reader: StubReader(readings), now: FixedClock().now(), waited: waited)
            let resolution = resolver.resolve()
            let removed = head.fields.indices.filter { resolution.removed.contains($0) }.map {
                String(decoding: head.fields[$0].name.bytes(in: bytes), as: UTF8.self)
            }
            switch resolution.outcome {
            case .conflict: return (.conflict, removed)
            case .pending: return (.pending, removed)
            case .settled(.none): return (.none, removed)
            case .settled(.identity(let identity)): return (.identity(identity.user), removed)
            case .settled(.refused(let refusal)): return (.refused(refusal.reason), removed)
            }
        }
    }

    @Test(arguments: [
        "Gatehouse-Key: gate_anna", "X-API-Key: gate_anna", "x-api-key: gate_anna", "Authorization: Bearer gate_anna",
        "Authorization: bearer   gate_anna", "Authorization: Basic eDpnYXRlX2FubmE=",
        "Authorization: basic Z2F0ZV9iZXJ0OmdhdGVfYW5uYQ==",
    ])
    func aKeyOfOursIsKnownInEveryPlace(_ line: String) throws {
        let result = try resolve([line])
        #expect(result.outcome == .identity("anna"))
        #expect(result.removed.count == 1)
    }

    @Test(arguments: [
        "X-API-Key: their-own", "Authorization: Bearer opaque", "Authorization: Basic YW5uYTpzZWNyZXQ=",
        "Authorization: Digest username=x", "Authorization: Bearer \(Sample.unknownToken)", "Authorization: gate_anna",
        "Authorization: Basic !!!", "Authorization: Bearer", "Cookie: a=gate_anna", "X-API-Key: Gate_anna",
        "X_API_Key: gate_anna",
    ])
    func whatIsNotOursIsNotTouched(_ line: String) throws {
        let result = try resolve([line])
        #expect(result.outcome == .none)
        #expect(result.removed.isEmpty)
    }

    @Test func ourKeyBesideTheAppsOwnAuthorization() throws {
        let result = try resolve(["Gatehouse-Key: gate_anna", "Authorization: Bearer \(Sample.unknownToken)"])
        #expect(result.outcome == .identity("anna"))
        #expect(result.removed == ["Gatehouse-Key"])
        let other = try resolve(["X-API-Key: theirs", "Authorization: Bearer gate_anna"])
        #expect(other.outcome == .identity("anna"))
        #expect(other.removed == ["Authorization"])
    }

    @Test(arguments: [
        ["Gatehouse-Key: gate_anna", "X-API-Key: gate_bert"],
        ["Gatehouse-Key: gate_anna", "Authorization: Bearer gate_bert"],
        ["X-API-Key: gate_anna", "X-API-Key: gate_bert"],
        ["Gatehouse-Key: gate_anna", "Authorization: Bearer \(Sample.accessToken)"],
        ["Gatehouse-Key: gate_anna", "Authorization: Bearer \(Sample.foreignToken)"],
        ["Authorization: Basic eDpnYXRlX2FubmE=", "Authorization: Bearer gate_bert"],
        ["Authorization: Bearer \(Sample.accessToken)", "Authorization: Bearer \(Sample.foreignToken)"],
    ])
    func twoOfOursThatDifferAreAConflict(_ lines: [String]) throws {
        do {
            let value = try resolve(lines).outcome
            #expect(value == .conflict)
        }
    }

    @Test func theSameTwiceIsNoConflict() throws {
        let result = try resolve([
            "Gatehouse-Key: gate_anna", "X-API-Key: gate_anna", "Authorization: Bearer gate_anna",
        ])
        #expect(result.outcome == .identity("anna"))
        #expect(result.removed.count == 3)
    }

    @Test func oursAndNotValidDecidesAlone() throws {
        do {
            let value = try resolve(["X-API-Key: gate_unknown"]).outcome
            #expect(value == .refused(.credentialUnknown))
        }
        let result = try resolve(["X-API-Key: gate_revoked", "Authorization: Bearer \(Sample.unknownToken)"])
        #expect(result.outcome == .refused(.credentialRevoked))
        #expect(result.removed == ["X-API-Key"])
    }

    @Test func aTokenOfOursIsTakenOutAndAForeignOneGoesOn() throws {
        do {
            let value = try resolve(["Authorization: Bearer \(Sample.accessToken)"]).removed
            #expect(value == ["Authorization"])
        }
        do {
            let value = try resolve(["Authorization: Bearer \(Sample.revokedAccessToken)"]).removed
            #expect(value == ["Authorization"])
        }
        let foreign = try resolve(["Authorization: Bearer \(Sample.foreignToken)"])
        #expect(foreign.outcome == .identity("corp:carl"))
        #expect(foreign.removed.isEmpty)
        do {
            let value = try resolve(["Authorization: Bearer \(Sample.expiredForeignToken)"]).removed.isEmpty
            #expect(value)
        }
        #expect(
            try resolve(["Authorization: Bearer \(Sample.foreignToken)"], forwardsForeign: false).removed
                == ["Authorization"])
    }

    @Test func credentialsFromNarrowsWhereWeLookButNotWhatIsTakenOut() throws {
        let key = try resolve(["Authorization: Bearer gate_anna", "X-API-Key: gate_bert"], sources: [.key])
        #expect(key.outcome == .identity("bert"))
        #expect(key.removed == ["Authorization", "X-API-Key"])
        let none = try resolve(["X-API-Key: gate_anna"], sources: [.authorization, .cookie])
        #expect(none.outcome == .none)
        #expect(none.removed == ["X-API-Key"])
        let token = try resolve(["Authorization: Bearer \(Sample.accessToken)"], sources: [.cookie])
        #expect(token.outcome == .none)
        #expect(token.removed == ["Authorization"])
        let foreign = try resolve(["Authorization: Bearer \(Sample.foreignToken)"], sources: [.cookie])
        #expect(foreign.outcome == .none)
        #expect(foreign.removed.isEmpty)
    }

    @Test func whatIsPendingIsRefusedAfterTheWait() throws {
        let readings: [String: @Sendable (Int) -> CredentialReading] = [
            Sample.foreignToken: { _ in .pending(PendingReading { _ in }) }
        ]
        let line = "Authorization: Bearer \(Sample.foreignToken)"
        do {
            let value = try resolve([line], readings: readings).outcome
            #expect(value == .pending)
        }
        do {
            let value = try resolve([line], waited: true, readings: readings).outcome
            #expect(value == .refused(.credentialUnknown))
        }
    }
}

struct ClientAddressTests {
    private func address(_ peer: String, _ lines: [String], trusted: [String], peerIsTrusted: Bool? = nil) throws
        -> String?
    {
        let proxies = TrustedProxies(networks: trusted.compactMap(Network.init))
        let bytes = Array(Harness.request("GET", "/", lines).utf8)
        return try bytes.withUnsafeBytes { bytes in
            var head = RequestHead()
            var parser = RequestParser()
            let result = parser.parse(bytes, into: &head)
            try #require(result == .complete)
            let peer = Peer(try SocketAddress(ipAddress: peer, port: 1), trusted: proxies)
            return ClientAddress.resolve(
                peer: peer, peerIsTrusted: peerIsTrusted ?? peer.isTrusted, trusted: proxies, head: head, bytes: bytes,
                scan: HeadScan(head.fields))?.description
        }
    }

    @Test func lesson18_theRightmostThatIsNotTrustedCounts() throws {
        let trusted = ["10.0.0.0/8", "192.0.2.1"]
        do {
            let value = try address("10.0.0.1", ["X-Forwarded-For: 1.2.3.4, 203.0.113.5"], trusted: trusted)
            #expect(value == "203.0.113.5")
        }
        #expect(
            try address("10.0.0.1", ["X-Forwarded-For: 1.2.3.4, 203.0.113.5,10.1.1.1 , 192.0.2.1"], trusted: trusted)
                == "203.0.113.5")
        #expect(
            try address("10.0.0.1", ["X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 10.2.2.2"], trusted: trusted)
                == "203.0.113.5")
    }

    @Test func lesson64_anUntrustedPeerSpeaksForItselfOnly() throws {
        do {
            let value = try address("203.0.113.9", ["X-Forwarded-For: 10.0.0.1"], trusted: ["10.0.0.0/8"])
            #expect(value == "203.0.113.9")
        }
        do {
            let value = try address("203.0.113.9", [], trusted: [])
            #expect(value == "203.0.113.9")
        }
    }

    @Test(arguments: [
        [], ["X-Forwarded-For: a"], ["X-Forwarded-For: "], ["X-Forwarded-For: 203.0.113.5, "],
        ["X-Forwarded-For: 203.0.113.5, unknown"], ["X-Forwarded-For: 203.0.113.5:1234"], ["X-Forwarded-For: 10.0.0.7"],
        ["X-Real-IP: 203.0.113.5"], ["Forwarded: for=203.0.113.5"], ["X_Forwarded_For: 203.0.113.5"],
    ])
    func lesson19_whatCannotBeReadIsUnknownAndNeverAnAddress(_ lines: [String]) throws {
        do {
            let value = try address("10.0.0.1", lines, trusted: ["10.0.0.0/8"])
            #expect(value == nil)
        }
    }

    @Test func lesson20_noOtherHeaderIsRead() throws {
        #expect(
            try address(
                "10.0.0.1", ["X-Real-IP: 1.1.1.1", "X-Forwarded-For: 203.0.113.5"], trusted: ["10.0.0.0/8"])
                == "203.0.113.5")
    }
}
