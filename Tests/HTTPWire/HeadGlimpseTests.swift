import HTTPWire
import Testing

/// What is told of a head that was refused.
@Suite struct HeadGlimpseTests {
    private func glimpse(_ text: String) -> [String] {
        Array(text.utf8).withUnsafeBytes { bytes in
            let found = HeadGlimpse(bytes)
            return [found.method, found.host, found.path].map { String(decoding: $0.bytes(in: bytes), as: UTF8.self) }
        }
    }

    @Test(arguments: [
        ("GET /a/../b HTTP/1.1\r\nHost: a.example\r\n\r\n", ["GET", "a.example", "/a/../b"]),
        ("\r\nTRACE /x?secret=1 HTTP/1.1\r\nX: y\r\nhOsT :  a.example:80 \t\r\n\r\n", ["TRACE", "a.example:80", "/x"]),
        ("GET /a#secret HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", ["GET", "a", "/a"]),
        ("GET http://u:secret@b.example/x?y HTTP/1.1\r\n\r\n", ["GET", "b.example", "/x"]),
        ("GET http://b.example/x HTTP/1.1\r\nHost: c\r\n\r\n", ["GET", "c", "/x"]),
        ("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", ["CONNECT", "a", "a.example:443"]),
        ("GET  /two HTTP/1.1\nHost: a\n\n", ["GET", "a", "/two"]),
        ("GET /no-end", ["GET", "", "/no-end"]),
        ("GET /x HTTP/1.1\r\n\r\nHost: behind\r\n", ["GET", "", "/x"]),
        ("GET /x HTTP/1.1\r\nHostile: a\r\nX-Host: b\r\n\r\n", ["GET", "", "/x"]),
        ("GE\u{1}T /x HTTP/1.1\r\nHost: a\r\n\r\n", ["", "a", ""]),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}", ["", "", ""]), ("GET ", ["GET", "", ""]), ("GET", ["", "", ""]),
        ("G", ["", "", ""]), ("", ["", "", ""]), ("\r\n", ["", "", ""]), ("\r\n\r\n", ["", "", ""]),
        ("GET \r\n", ["GET", "", ""]), ("GET a://", ["GET", "", ""]), ("GET a:/", ["GET", "", "a:/"]),
    ])
    func asFarAsItCanBeMadeOut(_ text: String, _ expected: [String]) {
        #expect(glimpse(text) == expected)
    }

    @Test func everyCutIsHarmless() {
        let text = "\r\nGET http://u@b.example/x?y#z HTTP/1.1\r\nHost: c.example\r\nX: y\r\n\r\n"
        for count in 0...text.utf8.count {
            let found = glimpse(String(decoding: text.utf8.prefix(count), as: UTF8.self))
            #expect("GET".hasPrefix(found[0]) && !found[1].contains("@") && !found[2].contains("?"))
        }
    }
}
