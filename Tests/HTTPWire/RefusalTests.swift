import HTTPWire
import Testing

/// One line, one case: the request as it comes and what is answered.
private let cases: [(input: String, code: Refusal.Code, status: Int)] = [
    // Lines
    ("GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed, 400),
    ("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed, 400),
    ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed, 400),
    ("GET / HTTP/1.1\rHost: a\r\n\r\n", .bareCarriageReturn, 400),
    ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", .bareCarriageReturn, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\r: b\r\n\r\n", .bareCarriageReturn, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n", .bareCarriageReturn, 400),
    ("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareCarriageReturn, 400),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n", .foldedLine, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tfolded\r\n\r\n", .foldedLine, 400),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", .foldedLine, 400),
    // Names and values
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", .spaceBeforeColon, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length\t: 1\r\n\r\n", .spaceBeforeColon, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", .invalidFieldName, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", .invalidFieldName, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX(Y: b\r\n\r\n", .invalidFieldName, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nXé: b\r\n\r\n", .invalidFieldName, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\u{0}Y: b\r\n\r\n", .controlByte, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", .missingColon, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", .controlByte, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{1}b\r\n\r\n", .controlByte, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{1f}\r\n\r\n", .controlByte, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{7f}b\r\n\r\n", .controlByte, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{b}b\r\n\r\n", .controlByte, 400),
    // Request line
    ("GET /\r\n\r\n", .malformedRequestLine, 400),
    ("GET\r\n\r\n", .malformedRequestLine, 400),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    ("GET / http/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    ("GET / HTTP/x.1\r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine, 400),
    ("G\"T / HTTP/1.1\r\nHost: a\r\n\r\n", .invalidMethod, 400),
    ("GÉT / HTTP/1.1\r\nHost: a\r\n\r\n", .invalidMethod, 400),
    ("\u{16}\u{3}\u{1}", .controlByte, 400),
    (String(repeating: "M", count: 65) + " / HTTP/1.1\r\nHost: a\r\n\r\n", .invalidMethod, 400),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .versionUnsupported, 505),
    ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", .versionUnsupported, 505),
    ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", .versionUnsupported, 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .versionUnsupported, 505),
    ("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", .methodRefused, 405),
    ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", .methodRefused, 405),
    ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", .methodRefused, 405),
    ("trace / HTTP/1.1\r\nHost: a\r\n\r\n", .methodRefused, 405),
    // Target
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", .targetInvalid, 400),
    ("OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", .targetInvalid, 400),
    ("GET index.html HTTP/1.1\r\nHost: a\r\n\r\n", .targetInvalid, 400),
    ("GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", .targetInvalid, 400),
    ("GET ?x HTTP/1.1\r\nHost: a\r\n\r\n", .targetInvalid, 400),
    ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .targetInvalid, 400),
    ("GET http:/a/ HTTP/1.1\r\nHost: a\r\n\r\n", .targetInvalid, 400),
    ("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", .hostInvalid, 400),
    ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", .hostInvalid, 400),
    ("GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n", .hostInvalid, 400),
    ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", .authorityMismatch, 400),
    ("GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", .authorityMismatch, 400),
    ("GET http://a/ HTTP/1.1\r\n\r\n", .hostMissing, 400),
    ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n", .targetNotASCII, 400),
    ("GET /?é HTTP/1.1\r\nHost: a\r\n\r\n", .targetNotASCII, 400),
    ("GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n", .controlByte, 400),
    ("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", .controlByte, 400),
    ("GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", .controlByte, 400),
    ("GET /?\u{0} HTTP/1.1\r\nHost: a\r\n\r\n", .controlByte, 400),
    ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .fragment, 400),
    ("GET /?a#b HTTP/1.1\r\nHost: a\r\n\r\n", .fragment, 400),
    ("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", .rawBackslash, 400),
    ("GET /% HTTP/1.1\r\nHost: a\r\n\r\n", .badEscape, 400),
    ("GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", .badEscape, 400),
    ("GET /%4g HTTP/1.1\r\nHost: a\r\n\r\n", .badEscape, 400),
    ("GET /%u002e HTTP/1.1\r\nHost: a\r\n\r\n", .badEscape, 400),
    ("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", .encodedNull, 400),
    ("GET /a%0d%0ab HTTP/1.1\r\nHost: a\r\n\r\n", .encodedControl, 400),
    ("GET /%7F HTTP/1.1\r\nHost: a\r\n\r\n", .encodedControl, 400),
    ("GET /a/.. HTTP/1.1\r\nHost: a\r\n\r\n", .dotSegment, 400),
    ("GET http://a/x/../y HTTP/1.1\r\nHost: a\r\n\r\n", .dotSegment, 400),
    ("GET /%252e HTTP/1.1\r\nHost: a\r\n\r\n", .doubleEscape, 400),
    // Host
    ("GET / HTTP/1.1\r\n\r\n", .hostMissing, 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .hostRepeated, 400),
    ("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", .hostRepeated, 400),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: é\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: :\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: a::\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: .\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .hostInvalid, 400),
    ("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", .hostInvalid, 400),
    // Framing
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthAndCoding, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .lengthRepeated, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n", .lengthRepeated, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t1\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 \t\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n", .lengthInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked \r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked\r\n\r\n", .codingInvalid, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:  chunked\r\n\r\n", .codingInvalid, 400),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        .codingRepeated, 400
    ),
    ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .codingInOldVersion, 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n", .expectationUnknown, 417),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x\r\n\r\n", .expectationUnknown, 417),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect:\r\n\r\n", .expectationUnknown, 417),
    // Sizes
    ("GET /" + String(repeating: "a", count: 8192) + " HTTP/1.1\r\nHost: a\r\n\r\n", .targetTooLong, 414),
    ("GET /" + String(repeating: "a", count: 40_000), .targetTooLong, 414),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "b", count: 40_000), .headTooLarge, 431),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "b", count: 32_768) + "\r\n\r\n", .headTooLarge, 431),
    ("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: b\r\n", count: 256) + "\r\n", .tooManyFields, 431),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: " + String(repeating: "x,", count: 129) + "close\r\n\r\n",
        .tooManyFields, 431
    ),
]

@Suite struct RefusalTests {
    @Test(arguments: cases.indices)
    func refusedWithItsStatus(_ index: Int) {
        let (input, code, status) = cases[index]
        #expect(parse(input).code == code, "\(input.debugDescription.prefix(120))")
        #expect(Refusal(code).status == status)
    }

    @Test(arguments: cases.indices)
    func theSameHoweverTheInputIsCut(_ index: Int) {
        let bytes = Array(cases[index].input.utf8)
        let stride = bytes.count > 2000 ? 97 : 1
        let cuts = Array(Swift.stride(from: 1, to: bytes.count, by: stride)) + [bytes.count]
        #expect(parse(bytes, cuts: cuts).code == cases[index].code)
        #expect(parse(bytes + Array("GET /next HTTP/1.1\r\n".utf8), cuts: [bytes.count + 20]).code == cases[index].code)
    }

    @Test func aRefusedParserTakesAnotherHead() {
        var parser = RequestParser()
        var head = RequestHead()
        let bad = Array("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n".utf8)
        #expect(parse(bad, cuts: [bad.count], with: &parser, into: &head).code == .spaceBeforeColon)
        let good = Array("GET /x HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        #expect(parse(good, cuts: [good.count], with: &parser, into: &head).request?.fields == ["Host: a"])
    }

    @Test func everyByteOfAnEndlessLineIsLookedAtOnce() {
        let line = Array(("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "b", count: 30_000) + "\r\n\r\n").utf8)
        var parser = RequestParser()
        var head = RequestHead()
        line.withUnsafeBytes { bytes in
            for count in 1..<bytes.count {
                #expect(parser.parse(UnsafeRawBufferPointer(rebasing: bytes[..<count]), into: &head) == .incomplete)
            }
            #expect(parser.parse(bytes, into: &head) == .complete)
        }
    }

    @Test func aLongHeadWithinTheLimitsIsTaken() {
        let path = "/" + String(repeating: "a", count: 8191)
        #expect(parsePath(path).request?.path == path)
        let fields = String(repeating: "X: b\r\n", count: 255)
        #expect(parse("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n").request?.fields.count == 256)
    }
}
