import HTTPWire
import Testing

@Suite struct RequestTests {
    private let browser =
        "GET /wiki/Main?a=1&b=%zz\\ HTTP/1.1\r\nHost: Wiki.Example.com:8443\r\nAccept: */*\r\nCookie: \ta=b; c=d \r\n"
        + "X-Empty:\r\nX-Text: gr\u{fc}n\ttab\r\n\r\n"

    @Test func partsOfARequest() {
        let request = parse(browser).request
        #expect(request?.method == "GET")
        #expect(request?.target == "/wiki/Main?a=1&b=%zz\\")
        #expect(request?.path == "/wiki/Main")
        #expect(request?.query == "a=1&b=%zz\\")
        #expect(request?.host == "Wiki.Example.com:8443")
        #expect(
            request?.fields == [
                "Host: Wiki.Example.com:8443", "Accept: */*", "Cookie: a=b; c=d", "X-Empty: ", "X-Text: gr\u{fc}n\ttab",
            ])
        #expect(request?.framing == BodyFraming.none)
        #expect(request?.keepAlive == true)
        #expect(request?.headLength == browser.utf8.count)
    }

    @Test func wholeByteByByteAndRunTogetherAreTheSame() {
        let requests = [
            browser, "POST /%61 HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nConnection: close\r\n\r\n",
            "\r\nGET http://a.example?x HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
            "BREW /a;b=c/d HTTP/1.1\r\nhOsT: a_b.\r\ntransfer-encoding: Chunked\r\n\r\n",
        ]
        var parser = RequestParser()
        var head = RequestHead()
        var stream = Array(requests.joined().utf8)
        for request in requests {
            let bytes = Array(request.utf8)
            let whole = parse(bytes, cuts: [bytes.count])
            #expect(whole.request != nil, "\(request)")
            #expect(parse(bytes, cuts: Array(1...bytes.count)) == whole)
            #expect(parse(stream, cuts: [stream.count], with: &parser, into: &head) == whole)
            stream.removeFirst(whole.request?.headLength ?? 0)
        }
        #expect(stream.isEmpty)
    }

    @Test func absoluteForm() {
        let request = parse("GET http://A.example/x?y HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n").request
        #expect(request?.path == "/x")
        #expect(request?.query == "y")
        #expect(request?.host == "a.EXAMPLE")
        let bare = parse("GET https://a.example HTTP/1.0\r\n\r\n").request
        #expect(bare?.path == "/")
        #expect(bare?.query == nil)
        #expect(bare?.host == "a.example")
        #expect(parse("GET HTTP://a?q HTTP/1.1\r\nHost: a\r\n\r\n").request?.path == "/")
        #expect(parse("GET HTTP://a?q HTTP/1.1\r\nHost: a\r\n\r\n").request?.query == "q")
    }

    @Test func oldVersionKeepsAliveOnlyWhenAsked() {
        #expect(parse("GET / HTTP/1.0\r\n\r\n").request?.keepAlive == false)
        #expect(parse("GET / HTTP/1.0\r\n\r\n").request?.host == "")
        // RFC 3986, section 3.2.3: a port may be nothing.
        for host in ["a.example:", "[::1]:", "a.example.:"] {
            #expect(parse("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").request?.host == host)
        }
        #expect(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").request?.keepAlive == true)
        #expect(parse("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").request?.keepAlive == false)
        #expect(
            parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: CLOSE\r\n\r\n").request?.keepAlive == false
        )
    }

    @Test func framingOfBodies() {
        let post = "POST / HTTP/1.1\r\nHost: a\r\n"
        #expect(parse(post + "Content-Length: 0\r\n\r\n").request?.framing == .length(0))
        #expect(parse(post + "Content-Length: 9223372036854775807\r\n\r\n").request?.framing == .length(1 << 63 - 1))
        #expect(parse(post + "Transfer-Encoding: CHUNKED\r\n\r\n").request?.framing == .chunked)
    }

    @Test func expectationOnlyWithABody() {
        #expect(head("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n").expectContinue)
        #expect(!head("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").expectContinue)
        #expect(!head("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").expectContinue)
    }

    @Test func upgradeIsOneAcceptableToken() {
        func upgrades(_ fields: String, version: String = "1.1") -> Bool {
            head("GET / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n").upgrade != nil
        }
        #expect(upgrades("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"))
        #expect(upgrades("Connection: upgrade\r\nUpgrade: foo/1\r\n"))
        #expect(!upgrades("Upgrade: websocket\r\n"))
        #expect(!upgrades("Connection: upgrade\r\n"))
        #expect(!upgrades("Connection: upgrade\r\nUpgrade: websocket\r\n", version: "1.0"))
        #expect(!upgrades("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n"))
        #expect(!upgrades("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n"))
        for bad in [
            "h2c", "H2C", "h2", "HTTP/2.0", "http", "TLS/1.0", "websocket, h2c", "a b", "/1", "a/", "a/1/2", "",
        ] {
            #expect(!upgrades("Connection: upgrade\r\nUpgrade: \(bad)\r\n"), "\(bad)")
        }
    }

    @Test func storageIsReused() {
        var parser = RequestParser()
        var head = RequestHead()
        let bytes = Array(browser.utf8)
        _ = parse(bytes, cuts: [bytes.count], with: &parser, into: &head)
        let before = head.fields.withUnsafeBufferPointer { $0.baseAddress }
        for _ in 0..<10 { _ = parse(bytes, cuts: [bytes.count], with: &parser, into: &head) }
        #expect(head.fields.withUnsafeBufferPointer { $0.baseAddress } == before)
        #expect(head.fields.count == 5)
    }

    @Test func methods() {
        let kinds: [(String, Method)] = [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("OPTIONS", .options),
            ("PATCH", .patch), ("get", .other), ("PURGE", .other), ("M-SEARCH", .other), ("G", .other),
        ]
        for (name, kind) in kinds { #expect(head("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n").methodKind == kind) }
        #expect(Method.get.isSafe && !Method.post.isSafe && Method.put.isIdempotent && !Method.patch.isIdempotent)
    }

    @Test func knownFieldsAreFoundInAnyCaseAndNothingElse() {
        #expect(
            head("GET / HTTP/1.1\r\nhOST: a\r\nCOOKIE: b\r\nx-api-KEY: c\r\n\r\n").fields.map(\.id) == [
                .host, .cookie, .xAPIKey,
            ])
        let alphabet = (UInt8.min...UInt8.max)
        for name in ["content-length", "host", "te", "x-forwarded-for", "transfer-encoding", "http2-settings"] {
            let exact = Array(name.utf8)
            let id = exact.withUnsafeBytes { FieldID.of($0) }
            #expect(id != .other)
            for position in exact.indices {
                for byte in alphabet {
                    var changed = exact
                    changed[position] = byte
                    let same =
                        Character(UnicodeScalar(byte)).lowercased() == String(Character(UnicodeScalar(exact[position])))
                    let found = changed.withUnsafeBytes { FieldID.of($0) }
                    #expect((found == id) == (same && byte < 0x80), "\(changed)")
                }
            }
        }
    }

    private func head(_ input: String) -> RequestHead {
        var parser = RequestParser()
        var head = RequestHead()
        let result = Array(input.utf8).withUnsafeBytes { parser.parse($0, into: &head) }
        #expect(result == .complete, "\(input)")
        return head
    }
}
