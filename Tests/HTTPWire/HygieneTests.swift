import HTTPWire
import Testing

@Suite struct HygieneTests {
    private let hygiene = HeaderHygiene(reserving: ["X-WEBAUTH-ID", "My-Family-*", "x_custom_user"])

    private func isReserved(_ name: String) -> Bool { Array(name.utf8).withUnsafeBytes { hygiene.isReserved($0) } }

    @Test(arguments: [
        "Remote-User", "remote_user", "REMOTE.USER", "ReMoTe-Email", "remote~x", "Remote-", "X-Remote-User",
        "x_remote_user",
        "X-Auth-Request-User", "X.Auth.Request.Email", "X-Forwarded-For", "X_Forwarded_User", "x-forwarded-port",
        "X-Forwarded-Prefix", "Forwarded", "FORWARDED", "X-Real-IP", "x_real_ip", "X-Original-URL", "x-original-uri",
        "X-Rewrite-URL", "X-Client-Cert", "X-Client-Cert-Subject", "X_Client_Certificate", "X-WebAuth-User",
        "X-Gatehouse-Anything", "Gatehouse-Assertion", "gatehouse_key", "Proxy-Authorization", "Proxy_Connection",
        "Proxy",
        "Proxy-", "X-Envoy-Original-Path", "X-HTTP-Method-Override", "x_http_method", "X-Method-Override",
        "My-Family-X", "my_family_", "X-Custom.User", "Content_Length", "TRANSFER_ENCODING", "Transfer.Encoding",
        "Keep_Alive",
    ])
    func lesson01_reservedFamiliesInEverySpelling(_ name: String) {
        #expect(isReserved(name))
    }

    @Test(arguments: [
        "Remote", "Remoteuser", "X-Remote", "X-Forwarded", "X-Forwardedfor", "Forwarded-For", "X-Real-IPs", "X-Client",
        "X-HTTP-Methods", "X-Method-Overrides", "Gatehouse", "Host", "Cookie", "Authorization", "X-API-Key",
        "Content-Length", "Transfer-Encoding", "Accept", "X-Request-Id", "X", "x-", "My-Family", "X-Custom-Users", "",
    ])
    func otherNamesPass(_ name: String) {
        #expect(!isReserved(name))
    }

    @Test func lesson54_aliasesOfDescribingHeadersAreFound() {
        for name in ["X_Forwarded_Uri", "x-forwarded-uri", "X.FORWARDED.URI"] {
            #expect(Array(name.utf8).withUnsafeBytes { HeaderHygiene.canonicalEquals($0, "x-forwarded-uri") })
        }
        #expect(
            !Array("X-Forwarded-Urix".utf8).withUnsafeBytes { HeaderHygiene.canonicalEquals($0, "x-forwarded-uri") })
    }

    /// The names that go on of a request with these fields.
    private func forwarded(_ fields: String) -> [String] {
        let input = Array("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8)
        return input.withUnsafeBytes { bytes in
            var parser = RequestParser()
            var head = RequestHead()
            #expect(parser.parse(bytes, into: &head) == .complete)
            return head.fields.filter { hygiene.forwards($0, of: head, in: bytes) }.map { text($0.name, bytes) }
        }
    }

    @Test func hopByHopFieldsStay() {
        let fields =
            "Connection: close\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: x\r\nHTTP2-Settings: y\r\nTrailer: z\r\nAccept: a\r\n"
        #expect(forwarded(fields) == ["Host", "Trailer", "Accept"])
        #expect(forwarded("Transfer-Encoding: chunked\r\nProxy-Connection: a\r\n") == ["Host"])
    }

    @Test func lesson40_connectionTokensTakeOutOnlyTheClientsOwnCopies() {
        let fields =
            "X-One: 1\r\nX-Two: 2\r\nConnection: X-One, Remote-User\r\nRemote-User: eve\r\nConnection: close\r\n"
        #expect(forwarded(fields) == ["Host", "X-Two"])
    }

    @Test func lesson41_connectionTokensInAnyCase() {
        #expect(forwarded("X-One: 1\r\nConnection: x-oNE\r\nremote_user: eve\r\n") == ["Host"])
    }

    @Test func lesson82_connectionCannotNameWhatWeNeed() {
        let fields =
            "Connection: Host, Content-Length, Via, X-Request-Id, X-Forwarded-For, traceparent\r\nContent-Length: 0\r\n"
            + "Via: 1.1 x\r\nX-Request-Id: y\r\ntraceparent: z\r\n"
        #expect(forwarded(fields) == ["Host", "Content-Length", "Via", "X-Request-Id", "traceparent"])
    }

    @Test func trailersLoseFramingContentAndCredentials() {
        func passes(_ name: String) -> Bool {
            let bytes = Array("\(name): v".utf8)
            let field = HeaderField(
                name: Slice(offset: 0, count: UInt32(name.utf8.count)), value: Slice(),
                id: bytes.withUnsafeBytes { FieldID.of(UnsafeRawBufferPointer(rebasing: $0[..<name.utf8.count])) })
            return bytes.withUnsafeBytes { hygiene.forwardsTrailer(field, in: $0) }
        }
        for name in [
            "Host", "Cookie", "Authorization", "Content-Length", "content_length", "Transfer-Encoding", "Connection",
            "TE",
            "Trailer", "Upgrade", "Remote-User", "remote_user", "Set-Cookie", "X-API-Key", "x_api_key", "Content-Range",
            "Expect", "X-Forwarded-For", "my_family_x",
        ] {
            #expect(!passes(name), "\(name)")
        }
        for name in ["Grpc-Status", "ETag", "X-Checksum", "Server-Timing"] { #expect(passes(name), "\(name)") }
    }

    @Test func valuesWithControlBytesAreUnsafe() {
        func isSafe(_ value: [UInt8]) -> Bool { value.withUnsafeBytes { HeaderHygiene.isSafeValue($0) } }
        #expect(isSafe([]) && isSafe(Array("a\tb é".utf8)))
        for byte in Array(0..<0x20) + [0x7F] where byte != 9 { #expect(!isSafe([0x61, UInt8(byte), 0x62])) }
    }

    @Test func slicesOutsideTheBufferAreEmpty() {
        [UInt8](repeating: 0, count: 4).withUnsafeBytes { bytes in
            #expect(Slice(offset: 2, count: 3).bytes(in: bytes).isEmpty)
            #expect(Slice(offset: .max, count: .max).bytes(in: bytes).isEmpty)
            #expect(Slice(offset: 1, count: 3).bytes(in: bytes).count == 3)
        }
    }
}
