import Core
import Logging
import NIOSSL
import Policy
import Testing

@testable import Proxy

/// Certificates, and what is made of their files.
@Suite struct CertificateTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: [
        ("app.example.com", 1), ("APP.example.com", 1), ("app.example.com.", 1), ("x.example.com", 2),
        ("a.b.example.com", 0), ("example.com", 0), (".example.com", 0), ("first.test", 0), ("second.first.test", 0),
        ("both.example.com", 1), ("", 0), (".", 0), ("*.example.com", 2), ("xn--bcher-kva.example.com", 2),
    ]) func theCertificateOfAName(_ name: String, _ index: Int) {
        let choice = CertificateChoice([
            ["first.test"], ["app.example.com", "both.example.com"],
            ["*.example.com", "both.example.com", "app.example.com"],
        ])
        #expect(choice.index(for: name) == index)
        #expect(choice.index(for: nil) == 0)
    }

    @Test func whatACertificateSays() throws {
        let pair = try KeyPair(
            certificate: Self.bytes(TestCertificates.wiki), privateKey: Self.bytes(TestCertificates.wikiKey))
        #expect(pair.names == ["wiki.example.com", "*.example.org"])
        #expect(pair.notAfter == Timestamp(seconds: 4_949_001_458))
        #expect(pair.notBefore < pair.notAfter)
        let nameless = try KeyPair(
            certificate: Self.bytes(TestCertificates.nameless), privateKey: Self.bytes(TestCertificates.namelessKey))
        #expect(nameless.names.isEmpty)
    }

    @Test func aKeyOfAnotherCertificateIsRefused() {
        #expect(throws: KeyPairError(.privateKey, "does not belong to the certificate")) {
            try KeyPair(
                certificate: Self.bytes(TestCertificates.wiki), privateKey: Self.bytes(TestCertificates.namelessKey))
        }
    }

    @Test(arguments: [
        "", "nonsense", "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        TestCertificates.wikiKey, String(repeating: "\0", count: 1000),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    ]) func nonsenseIsRefusedAndNeverTraps(_ text: String) {
        #expect(throws: KeyPairError.self) {
            try KeyPair(certificate: Self.bytes(text), privateKey: Self.bytes(TestCertificates.wikiKey))
        }
        guard text != TestCertificates.wikiKey else { return }
        #expect(throws: KeyPairError.self) {
            try KeyPair(certificate: Self.bytes(TestCertificates.wiki), privateKey: Self.bytes(text))
        }
        #expect(!KeyPair.areCertificates(Self.bytes(text)))
    }

    @Test func filesThatChangeAreTakenAndBadOnesAreNot() throws {
        let folder = CertificateFolder()
        folder.put()
        let terminal = try TLSTerminal(ListenerTLS(certificates: [folder.files]))
        #expect(terminal.certificates.map(\.name) == ["wiki.example.com"])
        #expect(try !terminal.refresh())
        folder.put(TestCertificates.nameless, "tls.crt")
        #expect(throws: ProxyError(.badCertificate, "")) { try terminal.refresh() }
        #expect(terminal.certificates.map(\.name) == ["wiki.example.com"])
        #expect(try !terminal.refresh(), "said once")
        folder.put(TestCertificates.namelessKey, "tls.key")
        #expect(try terminal.refresh())
        #expect(terminal.certificates.map(\.name) == [folder.files.certificate], "a file's name for want of another")
        folder.put(TestCertificates.namelessKey, "tls.key", mode: 0o644)
        #expect(throws: ProxyError(.badCertificate, "")) { try terminal.refresh() }
    }

    /// Renewed at a moment when nothing could be read, a certificate is not forgotten until the next renewal.
    @Test func whatFailedForAnotherReasonIsTriedAgain() throws {
        let folder = CertificateFolder()
        folder.put()
        let (made, problem) = (Counter(), Counter())
        let product = try MadeOfFiles([folder.files.certificate]) { () throws(ProxyError) in
            if problem.value > 0 { throw ProxyError(.badCertificate, "problem \(problem.value)") }
            made.add(1)
            return made.value
        }
        folder.put(TestCertificates.nameless, "tls.crt")
        problem.add(1)
        #expect(throws: ProxyError(.badCertificate, "")) { try product.refresh() }
        #expect(try !product.refresh(), "said once")
        problem.add(1)
        #expect(throws: ProxyError(.badCertificate, "")) { try product.refresh() }
        #expect(product.product == 1 && !product.isUpToDate)
        problem.add(-2)
        #expect(try product.refresh())
        #expect(try !product.refresh())
        #expect(product.product == 2 && product.isUpToDate)
    }

    /// So that a reload does not close connections that are good.
    @Test func tlsToAnUpstreamStaysOverAReloadUntilSomethingChanges() throws {
        let folder = CertificateFolder()
        folder.put()
        let names = NameThreads(StubResolver())
        defer { names.stop() }
        var configuration = Configuration(
            listeners: [], publicURL: "https://auth.example.com", snapshot: try Snapshot.compile(Harness.routes),
            routes: [RouteParameters(upstream: nil)],
            upstreams: [UpstreamDescription(name: "wiki", addresses: [.tls(host: "127.0.0.1", port: 1)])])
        configuration.upstreams[0].tls.keyPair = folder.files
        func site(replacing old: Site? = nil) throws -> Site {
            try Site(configuration, replacing: old, names: names, logger: Logger(label: "test"))
        }
        let first = try site()
        // Another place in the list.
        configuration.upstreams.insert(UpstreamDescription(name: "new", addresses: [.unix(path: "/x")]), at: 0)
        let second = try site(replacing: first)
        #expect(second.upstreamTLS[1] === first.upstreamTLS[0])
        configuration.upstreams[1].tls.serverName = "wiki.example.com"
        let third = try site(replacing: second)
        #expect(third.upstreamTLS[1] !== second.upstreamTLS[1])
        folder.put(TestCertificates.nameless, "tls.crt")
        folder.put(TestCertificates.namelessKey, "tls.key")
        let fourth = try site(replacing: third)
        #expect(fourth.upstreamTLS[1] !== third.upstreamTLS[1])
        folder.put(TestCertificates.wiki, "tls.crt")
        #expect(throws: ProxyError(.badCertificate, "")) { try site(replacing: fourth) }
    }

    @Test func aServerWithoutItsFilesDoesNotStart() async throws {
        let folder = CertificateFolder()
        await #expect(throws: ProxyError(.badCertificate, "")) {
            try await Harness { $0.listeners[0].tls = ListenerTLS(certificates: [folder.files]) }
        }
        await #expect(throws: ProxyError(.badCertificate, "")) {
            try await Harness {
                $0.upstreams[0].addresses = [.tls(host: "localhost", port: 1)]
                $0.upstreams[0].tls.authorities = .file(folder.path + "/tls.crt")
            }
        }
    }

    @Test func everyNameIsShownOnceWithTheEarlierEnd() {
        let text = Exposition.render(
            [CertificateExpiry(name: "a\"b", at: Timestamp(seconds: 10))], at: Timestamp(seconds: 25))
        #expect(text.hasSuffix("gatehouse_certificate_expiry_seconds{name=\"a\\\"b\"} -15\n"))
        #expect(Exposition.render([], at: Timestamp(seconds: 0)).isEmpty)
    }
}

/// What a TLS listener does with those who never agree, and a plain one with those who should.
@Suite(.serialized) struct TLSListenerTests {
    @Test(arguments: [[], [0x16, 0x03, 0x01, 0x02, 0x00, 0x01]] as [[UInt8]])
    func aHandshakeThatDoesNotEndIsCut(_ bytes: [UInt8]) async throws {
        let folder = CertificateFolder()
        folder.put()
        let harness = try await Harness {
            $0.listeners[0].tls = ListenerTLS(certificates: [folder.files])
            $0.limits.handshakeTimeout = .milliseconds(200)
        }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            client.writeNow(bytes)
            _ = try await client.readToEnd()
        }
    }

    @Test func plainBytesGetNoPlainAnswer() async throws {
        let folder = CertificateFolder()
        folder.put()
        let harness = try await Harness { $0.listeners[0].tls = ListenerTLS(certificates: [folder.files]) }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            client.writeNow(Harness.request("GET", "/public/x"))
            let text = try await client.readToEnd()
            #expect(!text.contains("HTTP"))
        }
    }

    @Test(arguments: [
        ("wiki.example.com", "https://wiki.example.com/a?b=c"),
        ("WIKI.example.com:80", "https://wiki.example.com/a?b=c"),
        ("auth.example.com", "https://auth.example.com/a?b=c"), ("evil.example", nil),
        ("wiki.example.com.evil.example", nil), ("awiki.example.com", nil), ("[::1]", nil),
    ]) func lesson66_onlyNamedHostsAreRedirected(_ host: String, _ location: String?) async throws {
        let harness = try await Harness { $0.listeners[0].redirectsToHTTPS = true }
        try await withHarness(harness) { harness in
            let answer = try await harness.get("/a?b=c", host: host)
            #expect(answer.status == (location == nil ? 421 : 308))
            #expect(answer["Location"] == location)
        }
    }

    @Test func redirectedConnectionsStayAndBodiesArePassedOver() async throws {
        let harness = try await Harness { $0.listeners[0].redirectsToHTTPS = true }
        try await withHarness(harness) { harness in
            let client = try harness.connect()
            for _ in 0..<3 {
                try await client.write(Harness.request("POST", "/a", ["Content-Length: 5"]) + "hello")
                let answer = try await client.readAnswer()
                #expect(answer.status == 308)
            }
        }
    }
}
