import Testing

@testable import App

/// The doctor's corpus, judgement and remedies, without a network.
struct DoctorTests {
    private static let key = "gate_" + String(repeating: "k", count: 49)

    private let place = Surroundings(
        scheme: "https", host: "canary.example.com", portal: "auth.example.com", openPath: "/public/doctor",
        closedPath: "/doctor", identityNames: ["Remote-User", "Remote-Groups", "Gatehouse-Assertion"],
        cookie: "__Secure-gatehouse", key: Self.key)

    private var judgement: Judgement {
        Judgement(
            place: place, isOpen: { $0 == "GET" && $1.hasPrefix("/public/") && !$1.contains("..") },
            identity: ["remote-user": "mary", "remote-groups": "", "gatehouse-assertion": "eyJ"])
    }

    private func arrival(_ lines: String...) throws -> Arrival {
        try #require(Arrival(lines.joined(separator: "\r\n")))
    }

    private func faults(_ probe: Probe, _ arrival: Arrival...) -> [Fault] {
        judgement.findings(in: Outcome(probe: probe, arrivals: arrival)).map(\.fault)
    }

    private func answered(_ probe: Probe, _ text: String) -> [Fault] {
        judgement.findings(in: Outcome(probe: probe, answer: ProbeAnswer(text))).map(\.fault)
    }

    /// The key is not sent to whoever does not show that he asks Gatehouse.
    @Test func aRefusalOfGatehouseIsKnown() throws {
        func isOurs(_ text: String) throws -> Bool {
            try #require(ProbeAnswer(text)).isRefusal(portal: place.portal)
        }
        #expect(try isOurs("HTTP/1.1 401 X\r\nGatehouse-Reason: sign_in_required\r\n\r\n"))
        #expect(try isOurs("HTTP/1.1 401 X\r\nA: b\r\n\r\n{\"status\":401,\"code\":\"sign_in_required\"}"))
        #expect(try isOurs("HTTP/1.1 303 X\r\nLocation: https://auth.example.com/.auth/login?return_to=x\r\n\r\n"))
        for text in [
            "HTTP/1.1 401 X\r\nA: b\r\n\r\n", "HTTP/1.1 200 X\r\nGatehouse-Reason: sign_in_required\r\n\r\n",
            "HTTP/1.1 401 X\r\nGatehouse-Reason: x\r\n\r\n{\"code\":\"x\"}", "HTTP/1.1 404 X\r\nA: b\r\n\r\nnot found",
            "HTTP/1.1 303 X\r\nLocation: https://auth.example.com.evil.example/.auth/login\r\n\r\n",
            "HTTP/1.1 303 X\r\nLocation: /.auth/login\r\n\r\n",
        ] {
            #expect(try !isOurs(text), "\(text)")
        }
    }

    // MARK: The corpus

    @Test func everyProbeIsOneHeadAndHarmless() {
        let probes = Corpus.probes(for: place)
        #expect(probes.count > 150 && probes.count < 500)
        #expect(Set(probes.map(\.name)).count == probes.count)
        for (number, probe) in probes.enumerated() {
            let text = String(decoding: probe.bytes(host: place.host, id: "id-\(number)"), as: UTF8.self)
            #expect(text.hasSuffix("\r\n\r\n") && text.split(separator: "\r\n\r\n").count == 1, "\(probe.name)")
            #expect(text.contains("\r\nDoctor-Probe: id-\(number)\r\n"))
            #expect(text.utf8.count < 8192)
            let lower = text.lowercased()
            // Nothing that would stay behind in a connection that others share.
            #expect(!lower.contains("transfer-encoding") && !lower.contains("expect:"))
            #expect(lower.ranges(of: "content-length").count <= 1)
            #expect(!lower.contains("content-length: ") || lower.contains("content-length: 0\r\n"))
            #expect(!text.replacing("\r\n", with: "").contains { $0 == "\r" || $0 == "\n" || $0 == "\0" })
        }
    }

    @Test func theKeyGoesOnlyWhereItIsMeantTo() {
        for probe in Corpus.probes(for: place) {
            let text = String(decoding: probe.bytes(host: place.host, id: "x"), as: UTF8.self)
            if text.contains(Self.key) {
                #expect(probe.usesKey && (probe.target == place.closedPath || probe.target == place.openPath))
                #expect(probe.host == nil)
            }
        }
    }

    @Test func withoutAKeyOrAPathThereIsLess() {
        func count(_ open: String?, _ closed: String?, _ key: String?) -> Int {
            Corpus.probes(
                for: Surroundings(
                    scheme: "http", host: "h", portal: "p", openPath: open, closedPath: closed,
                    identityNames: ["Remote-User"], cookie: "c", key: key)
            ).count
        }
        let all = count("/public/x", "/x", Self.key)
        #expect(count("/public/x", "/x", nil) < all)
        #expect(count(nil, "/x", Self.key) < all)
        #expect(count("/public/x", nil, nil) < all)
        #expect(count(nil, nil, nil) > 0)
    }

    // MARK: Judgement

    @Test func whatGatehouseWouldNotAllowMustNotArrive() throws {
        let probe = Probe(name: "p", target: "/doctor.css", test: .isGuarded(.unguarded))
        #expect(faults(probe) == [])
        #expect(faults(probe, try arrival("GET /public/x HTTP/1.1", "Host: h")) == [])
        #expect(faults(probe, try arrival("GET /doctor.css HTTP/1.1", "Host: h")) == [.unguarded])
        #expect(faults(probe, try arrival("POST /public/x HTTP/1.1", "Host: h")) == [.unguarded])
        let path = Probe(name: "p", target: "/public/../doctor", test: .isGuarded(.pathAmbiguous))
        #expect(faults(path, try arrival("GET /public/../doctor HTTP/1.0", "Host: h")) == [.pathAmbiguous])
    }

    @Test(arguments: [
        ("Remote-User: x1", Fault.identityForged), ("remote-user: x1", .identityForged),
        ("remote_user: x1", .identityAliased), ("Remote.User: x1", .identityAliased),
        ("X-Forwarded-User: x1", .otherHeaders), ("X-Forwarded-Host: x1", .forwardingForged),
        ("X_Forwarded_Host: x1", .forwardingAliased), ("X-Forwarded-For: x1", .forwardingForged),
        ("X-Forwarded-For: x1, 127.0.0.1", .otherHeaders),
    ])
    func marksAreKnownAgain(_ line: String, _ fault: Fault) throws {
        let name = String(line.prefix { $0 != ":" })
        let probe = Probe(
            name: "p", target: "/public/doctor", fields: [Probe.Field(name, "x1", mark: "x1")], test: .keepsMarksOut)
        #expect(faults(probe, try arrival("GET /public/doctor HTTP/1.1", line)) == [fault])
        #expect(faults(probe, try arrival("GET /public/doctor HTTP/1.1", "\(name): other")) == [])
        #expect(faults(probe, try arrival("GET /public/doctor HTTP/1.1", "X-Else: x1")) == [])
    }

    @Test func theIdentityMustStand() throws {
        let probe = Probe(
            name: "p", target: "/doctor", fields: [Probe.Field("Connection", "close, Remote-User")], usesKey: true,
            test: .keepsIdentity)
        let whole = try arrival("GET /doctor HTTP/1.1", "Remote-User: mary", "Gatehouse-Assertion: eyJother")
        #expect(faults(probe, whole) == [])
        #expect(faults(probe, try arrival("GET /doctor HTTP/1.1", "Gatehouse-Assertion: eyJ")) == [.identityDropped])
        let twice = try arrival(
            "GET /doctor HTTP/1.1", "Remote-User: mary", "remote_user: admin", "Gatehouse-Assertion: eyJ")
        #expect(faults(probe, twice) == [.identityDropped])
        let forged = Probe(name: "p", target: "/doctor", usesKey: true, test: .keepsMarksOut)
        #expect(faults(forged, try arrival("GET /doctor HTTP/1.1", "Remote-User: mary")) == [.identityMissing])
    }

    @Test func credentialsAreKnownInAnyHeader() throws {
        let probe = Probe(
            name: "p", target: "/doctor", fields: [Probe.Field("X-API-Key", Self.key, mark: Self.key)], usesKey: true,
            test: .keepsCredential)
        #expect(faults(probe, try arrival("GET /doctor HTTP/1.1", "X-API-Key: ")) == [])
        #expect(faults(probe, try arrival("GET /doctor HTTP/1.1", "X-Copy: a \(Self.key)")) == [.credentialLeaked])
        let findings = judgement.findings(
            in: Outcome(probe: probe, arrivals: [try arrival("GET /doctor HTTP/1.1", "X-API-Key: \(Self.key)")]))
        #expect(!"\(findings)".contains(Self.key))
    }

    @Test func anUpgradeToHTTP2IsKnown() throws {
        let probe = Probe(name: "p", target: "/public/doctor", test: .keepsUpgradeOut)
        for value in ["h2c", "H2C", "websocket, h2c", "h2"] {
            #expect(faults(probe, try arrival("GET / HTTP/1.1", "Upgrade: \(value)")) == [.upgradeForwarded])
        }
        #expect(faults(probe, try arrival("GET / HTTP/1.1", "Upgrade: websocket")) == [])
        #expect(faults(probe, try arrival("GET / HTTP/1.1", "Host: h")) == [])
    }

    @Test(arguments: [
        "https://doctor.invalid/", "//doctor.invalid", "/\\doctor.invalid/", "\\\\doctor.invalid",
        "https:doctor.invalid",
        "https:/doctor.invalid/x", "HTTPS://a@DOCTOR.invalid:1/", "/\t/doctor.invalid", "http://x.doctor.invalid/",
        "///doctor.invalid", "0; url=https://doctor.invalid/",
    ])
    func awayIsAway(_ value: String) { #expect(LeadingAway.leads(value, to: "doctor.invalid")) }

    @Test(arguments: [
        "/doctor.invalid", "/.auth/login?return_to=https://doctor.invalid/", "https://auth.example.com/doctor.invalid",
        "https://auth.example.com/?x=//doctor.invalid", "doctor.invalid", "https://notdoctor.invalid/",
        "https://doctor.invalid.example.com/", "",
    ])
    func hereIsHere(_ value: String) { #expect(!LeadingAway.leads(value, to: "doctor.invalid")) }

    @Test func answersAreLookedAt() {
        let probe = Probe(name: "p", target: "//doctor.invalid", test: .staysHere)
        #expect(answered(probe, "HTTP/1.1 301 Moved\r\nlocation: //doctor.invalid/\r\n\r\n") == [.openRedirect])
        #expect(answered(probe, "HTTP/1.1 301 Moved\r\nLocation: https://auth.example.com/\r\n\r\n") == [])
        #expect(answered(probe, "HTTP/1.1 302 x\r\nLocation: /\r\nDoctor-Injected: 1\r\n\r\n") == [.headerInjected])
        #expect(answered(probe, "nonsense") == [])
        let check = Probe(name: "p", target: "/.auth/check/nginx", test: .isNoCheck)
        #expect(answered(check, "HTTP/1.1 200 OK\r\nremote-user: \r\n\r\n") == [.checkExposed])
        #expect(answered(check, "HTTP/1.1 200 OK\r\n\r\nhello") == [])
        #expect(answered(check, "HTTP/1.1 404 No\r\nremote-user: \r\n\r\n") == [])
    }

    @Test func whatCameIsPrintedWithoutControlBytes() throws {
        let probe = Probe(name: "p", target: "/doctor\u{1b}[2J", test: .isGuarded(.unguarded))
        let findings = judgement.findings(
            in: Outcome(probe: probe, arrivals: [try arrival("GET /doctor\u{1b}[2J\u{7} HTTP/1.1", "Host: h")]))
        #expect(findings.count == 1)
        #expect(!findings.contains { ($0.seen + $0.sent).unicodeScalars.contains { $0.value < 0x20 } })
    }

    // MARK: Remedies

    @Test func everyFaultHasARemedyForEveryProxy() {
        for fault in Fault.allCases {
            for proxy in ProxyKind.allCases.map(Optional.init) + [nil] {
                let remedy = Remedies.remedy(for: fault, in: proxy)
                let text = remedy.text(for: "remote_user")
                #expect(!text.isEmpty && !text.contains("HEADER "), "\(fault) \(String(describing: proxy))")
                // Patterns are compared with small letters.
                for pattern in remedy.wrong + remedy.missingAt {
                    let words = pattern.replacing("HEADER", with: "").replacing("VARIABLE", with: "")
                    #expect(words == words.lowercased(), "\(pattern)")
                }
            }
        }
    }

    @Test func theLineIsFound() throws {
        let text = """
            server {
                # underscores_in_headers on;
                underscores_in_headers on;
                location ~ \\.css$ { proxy_pass http://app; }
                location / {
                    auth_request_set $gatehouse_user $upstream_http_remote_user;
                    proxy_pass http://app;
                }
            }
            """
        #expect(ProxyKind(configuration: text) == .nginx)
        let configuration = ProxyConfiguration([("a.conf", "http {\n}"), ("b.conf", text)])
        func line(_ fault: Fault, _ subject: String, path: String? = nil) -> ConfigurationLine? {
            configuration.line(for: Remedies.remedy(for: fault, in: .nginx), subject: subject, path: path)
        }
        let aliased = try #require(line(.identityAliased, "remote_user"))
        #expect(aliased.file == "b.conf" && aliased.line == 3 && aliased.isWrong)
        let forged = try #require(line(.identityForged, "Remote-User"))
        #expect(forged.line == 6 && !forged.isWrong)
        let unguarded = try #require(line(.unguarded, "/doctor.css", path: "/doctor.css"))
        #expect(unguarded.line == 4)
        #expect(ProxyConfiguration([]).line(for: Remedy(wrong: [""], write: ""), subject: "") == nil)
    }

    @Test(arguments: [
        ("@type: type.googleapis.com/envoy.extensions", ProxyKind.envoy),
        ("http:\n middlewares:\n  a: {forwardAuth: }", .traefik),
        ("frontend x\n http-request deny", .haproxy), (":80 {\n reverse_proxy a\n}", .caddy),
        ("proxy_pass http://a;", .nginx),
    ])
    func proxiesAreKnownByTheirWords(_ text: String, _ kind: ProxyKind) {
        #expect(ProxyKind(configuration: text) == kind)
    }

    @Test func placesAreReadStrictly() throws {
        let plain = try Place("localhost:9199", standardPort: 80)
        #expect(plain.host == "localhost" && plain.port == 9199)
        let six = try Place("[::1]:80", standardPort: 443)
        #expect(six.host == "::1" && six.port == 80)
        let bare = try Place("example.com", standardPort: 443)
        #expect(bare.host == "example.com" && bare.port == 443)
        for text in ["", ":80", "host:0", "host:70000", "host:x"] {
            #expect(throws: CommandFailure.self) { try Place(text, standardPort: 1) }
        }
    }
}
