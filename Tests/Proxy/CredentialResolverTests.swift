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

    struct Result {
        let outcome: Outcome
        /// The names of the fields that were taken out.
        let removed: [String]
        let found: Bool
        let isRefusedKey: Bool
    }

    private func resolve(
        _ lines: [String], sources: CredentialSources = .all, forwardsForeign: Bool = true, waited: Bool = false,
        readings: [String: @Sendable (Int) -> CredentialReading] = Sample.readings
    ) throws -> Result {
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
            let outcome: Outcome =
                switch resolution.outcome {
                case .conflict: .conflict
                case .pending: .pending
                case .settled(.none): .none
                case .settled(.identity(let identity)): .identity(identity.user)
                case .settled(.refused(let refusal)): .refused(refusal.reason)
                }
            return Result(
                outcome: outcome, removed: removed, found: resolution.hasFound, isRefusedKey: resolution.isRefusedKey)
        }
    }

    @Test(arguments: [
        "Gatehouse-Key: gate_anna", "X-API-Key: gate_anna", "x-api-key: gate_anna", "Authorization: Bearer gate_anna",
        "Authorization: bearer   gate_anna", "Authorization: Basic eDpnYXRlX2FubmE=",
        "Authorization: basic Z2F0ZV9iZXJ0OmdhdGVfYW5uYQ==", "Authorization: Bearer\tgate_anna",
        "Authorization: Basic\t eDpnYXRlX2FubmE=", "Authorization: Basic eDpn!YXRlX2FubmE",
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
        "X_API_Key: their-own", "X-Bpi-Key: gate_anna", "Authorization: Bearergate_anna",
    ])
    func whatIsNotOursIsNotTouched(_ line: String) throws {
        let result = try resolve([line])
        #expect(result.outcome == .none)
        #expect(result.removed.isEmpty)
    }

    /// Not where we look, but one variable with it for an app behind CGI or WSGI.
    @Test(arguments: ["X_API_Key", "x.api.key", "X-API_KEY", "x_api-key"])
    func lesson01_aKeyUnderAnAliasIsTakenOutAndDecidesNothing(_ name: String) throws {
        let result = try resolve(["\(name): gate_anna"])
        #expect(result.outcome == .none && result.removed == [name])
        let both = try resolve(["\(name): gate_anna", "X-API-Key: gate_bert"])
        #expect(both.outcome == .identity("bert") && both.removed == [name, "X-API-Key"])
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

    /// Only what is ours can disagree: other tokens are the app's, however many.
    @Test func tokensOfOthersAreNoConflict() throws {
        let other = Sample.token(issuer: "https://another.example.com", extra: "")
        let theirs = ["Authorization: Bearer \(Sample.unknownToken)", "Authorization: Bearer \(other)"]
        let alone = try resolve(theirs)
        #expect(alone.outcome == .none && alone.removed.isEmpty)
        let key = try resolve(theirs + ["Gatehouse-Key: gate_anna"])
        #expect(key.outcome == .identity("anna") && key.removed == ["Gatehouse-Key"])
        let own = "Authorization: Bearer \(Sample.accessToken)"
        for lines in [theirs + [own], [own] + theirs, [own, theirs[0], own]] {
            let result = try resolve(lines)
            #expect(result.outcome == .identity("anna"))
            #expect(result.removed.count == lines.filter { $0 == own }.count)
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

    /// Where the route does not look, nothing disagrees.
    @Test(arguments: [
        ["Authorization: Basic eDpnYXRlX2FubmE=", "Authorization: Basic eDpnYXRlX2JlcnQ="],
        ["Authorization: Bearer \(Sample.accessToken)", "Authorization: Bearer \(Sample.revokedAccessToken)"],
        ["Authorization: Bearer gate_anna", "Authorization: Bearer gate_bert"],
        ["Authorization: Basic eDpnYXRlX2FubmE=", "Authorization: Bearer \(Sample.accessToken)"],
    ])
    func whatIsNotLookedAtIsNoConflict(_ lines: [String]) throws {
        let result = try resolve(lines + ["X-API-Key: gate_bert"], sources: [.key])
        #expect(result.outcome == .identity("bert"))
        #expect(result.removed == ["Authorization", "Authorization", "X-API-Key"])
        let none = try resolve(lines, sources: [.cookie])
        #expect(none.outcome == .none && none.removed.count == 2 && !none.found)
    }

    /// A certificate counts where nothing that is looked at is ours.
    @Test func onlyWhatIsLookedAtIsFound() throws {
        let cookie = "Cookie: __Host-gatehouse=c-gone; a=b"
        #expect(try resolve([cookie]).found)
        #expect(try !resolve([cookie], sources: [.key]).found)
        for name in ["browser", "device", "portal"] {
            #expect(try !resolve(["Cookie: __Host-gatehouse-\(name)=x"]).found)
        }
        #expect(try !resolve(["X-API-Key: gate_anna"], sources: [.authorization]).found)
        #expect(try !resolve(["X-API-Key: theirs", "Authorization: Bearer opaque", "Cookie: a=b"]).found)
        #expect(try resolve(["X-API-Key: gate_nobody"]).found)
    }

    @Test(arguments: [
        ("X-API-Key: gate_nobody", true), ("Authorization: Bearer gate_revoked", true),
        ("Authorization: Basic eDpnYXRlX25vYm9keQ==", true), ("X-API-Key: gate_store", false),
        ("X-API-Key: gate_anna", false), ("Authorization: Bearer \(Sample.revokedAccessToken)", false),
        ("Cookie: __Host-gatehouse=c-gone", false), ("X-API-Key: theirs", false),
    ])
    func onlyRefusedKeysAreCounted(_ line: String, counts: Bool) throws {
        #expect(try resolve([line]).isRefusedKey == counts)
    }

    /// The readers say whose it is; here only that they are asked, and that no app gets ours.
    @Test func lesson85_whatAnAppCouldTakeForATokenIsShownToTheReaders() throws {
        let none = "\(Sample.accessToken.split(separator: ".").dropLast().joined(separator: "."))."
        let loose = [
            none, Sample.accessToken + "=", Sample.accessToken + ".", Sample.accessToken + " x",
            "ewog" + Sample.accessToken.dropFirst(4),
        ]
        for token in loose {
            let refused: [String: @Sendable (Int) -> CredentialReading] = [
                token: { _ in .refused(CredentialRefusal(.credentialUnknown)) }
            ]
            let result = try resolve(["Authorization: Bearer \(token)"], readings: refused)
            #expect(result.outcome == .refused(.credentialUnknown) && result.removed == ["Authorization"])
            // Where the route does not look it is no app's either.
            let unseen = try resolve(["Authorization: Bearer \(token)"], sources: [.key], readings: refused)
            #expect(unseen.outcome == .none && unseen.removed == ["Authorization"])
        }
        let foreign = String(Sample.foreignToken.dropLast(4))
        let refused: [String: @Sendable (Int) -> CredentialReading] = [
            foreign: { _ in .refused(CredentialRefusal(.credentialUnknown)) }
        ]
        let line = "Authorization: Bearer \(foreign)"
        let goesOn = try resolve([line], readings: refused)
        #expect(goesOn.outcome == .refused(.credentialUnknown) && goesOn.removed.isEmpty)
        #expect(try resolve([line], forwardsForeign: false, readings: refused).removed == ["Authorization"])
        #expect(
            try resolve([line], sources: [.key], forwardsForeign: false, readings: refused).removed
                == ["Authorization"])
    }

    /// Read is a token in `Authorization: Bearer` only; where a client has put it by mistake, an app would still hold it.
    @Test func tokensOfOursAreTakenOutWhereverTheyStandAndDecideNothingThere() throws {
        func lines(_ token: String) -> [String] {
            let basic = ["u:\(token)", "\(token):", "u:\(token):x"].map { Base64.encode(Array($0.utf8)) }
            return ["X-API-Key: \(token)", "X_API_Key: \(token)", "Authorization: JWT \(token)"]
                + ["Authorization: \(token)", "Authorization: Token token=\"\(token)\""]
                + basic.map { "Authorization: Basic \($0)" }
        }
        for line in lines(Sample.accessToken) {
            let result = try resolve([line])
            #expect(result.outcome == .none && result.removed.count == 1, "\(line)")
        }
        for line in lines(Sample.foreignToken) {
            #expect(try resolve([line]).removed == [], "\(line)")
        }
        for line in ["Authorization: Basic", "Authorization: Basic Og==", "Authorization: Basic =", "X-API-Key: .{"] {
            #expect(try resolve([line]).removed == [], "\(line)")
        }
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
