/// Makes requests and responses that are nearly right: pieces from lists, then a few bytes changed.
struct WireGenerator {
    var random: SeededGenerator

    private static let methods = [
        "GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE", "M-SEARCH", "get",
        "TRACE",
        "CONNECT", "FOO",
    ]
    private static let targets = [
        "/", "/a", "/a/b?c=d", "/%61;x=y/z", "/a?b=%zz", "/{a}|^`\"<>", "http://a.example/x?y", "http://a.example",
        "/a%2fb",
        "*", "//a", "/..", "a", "http://b/", "/a#b", "/é", "/;/?", "HTTPS://A.EXAMPLE:443/",
    ]
    private static let versions = [
        "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "http/1.1", "HTTP/1.10",
    ]
    private static let hosts = [
        "Host: a.example", "Host: a.example", "Host: a.example", "host:a.example", "Host: b:80", "Host: [::1]:8",
        "Host:", "Host: a b", "HOST: \ta.example \t",
    ]
    private static let fields = [
        "Accept: */*", "X-A: 1", "X-B:", "X-C:\t  two words \t", "Cookie: a=b; c=\"d\"", "x_y: z", "!#$%&'*+-.^_`|~: t",
        "X-Text: caf\u{e9}", "Connection: keep-alive", "Connection: close", "Connection: close, x-a", "Connection: x-a",
        "Expect: 100-continue", "Content-Length: 5", "Content-Length: 0", "Content-Length: 05", "Content-Length: 5, 5",
        "Content-Length: +5", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked",
        "Transfer-Encoding: CHUNKED", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity", "Transfer-Encoding:", "Trailer: X-T", "Content-Length : 5", "X: a\r\n b",
        "Proxy-Connection: close", "Keep-Alive: timeout=5", "Content_Length: 5", "Transfer-Encoding : chunked",
        "Connection: upgrade\r\nUpgrade: websocket", "TE: trailers", "Upgrade: h2c",
    ]
    private static let chunks = [
        "5\r\nhello\r\n", "A\r\n0123456789\r\n", "00001\r\nx\r\n", "1;a=b\r\nx\r\n", "1;a;b=\"c d\\\"\"\r\nx\r\n",
        "1 \r\nx\r\n",
        "5\r\nhell\r\n", "1\nx\r\n", "0x1\r\nx\r\n", "3\r\n\r\n\r\r\n", "fffffffffffffffff\r\n", "1;\r\nx\r\n",
        "2\r\nxy\n",
    ]
    private static let ends = [
        "0\r\n\r\n", "0\r\n\r\n", "0\r\n\r\n", "000\r\nX-T: 1\r\n\r\n", "0;x=y\r\nX-T:\r\nX-U: a b\r\n\r\n", "0\r\n",
        "0\r\nX : 1\r\n\r\n",
        "0\r\nContent-Length: 7\r\n\r\n", "0\n\n",
    ]
    private static let statuses = [
        "200 OK", "200 OK", "200 OK", "204 No Content", "304 Not Modified", "404 Not Found", "500 ", "301", "999 X",
        "20 X",
        "2000 X", "200 caf\u{e9}\ttab",
    ]
    private static let noise: [UInt8] =
        Array("\r\n\r\n\t :;,=%/?#.\\\"0159aAfFxX-_*(){}\u{0}\u{1}\u{b}\u{1f}\u{7f}".utf8) + [0x80, 0xFF, 0xA0]

    init(seed: UInt64) {
        random = SeededGenerator(state: seed)
    }

    /// One to three requests run together.
    mutating func requests() -> [UInt8] {
        var bytes: [UInt8] = []
        repeat {
            if chance(20) { bytes += Array("\r\n".utf8) }
            bytes += Array(
                "\(pick(Self.methods, good: 11)) \(pick(Self.targets, good: 9)) \(pick(Self.versions, good: 5))\r\n"
                    .utf8)
            if !chance(20) { bytes += Array("\(pick(Self.hosts, good: 4))\r\n".utf8) }
            bytes += fieldsAndBody()
        } while chance(4) && bytes.count < 2000
        return mutated(bytes)
    }

    mutating func response() -> [UInt8] {
        var bytes = Array("\(pick(Self.versions, good: 5)) \(pick(Self.statuses, good: 8))\r\n".utf8)
        bytes += fieldsAndBody()
        return mutated(bytes)
    }

    private mutating func fieldsAndBody() -> [UInt8] {
        var lines: [String] = []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            lines.append(pick(Self.fields, good: 9))
        }
        let kind = Int.random(in: 0...3, using: &random)
        if kind == 1 { lines.append("Transfer-Encoding: chunked") }
        if kind == 2 { lines.append("Content-Length: \(Int.random(in: 0...9, using: &random))") }
        lines.shuffle(using: &random)
        var text = lines.map { $0 + "\r\n" }.joined() + "\r\n"
        if kind == 1 || (kind == 0 && chance(4)) {
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                text += pick(Self.chunks, good: 5)
            }
            text += pick(Self.ends, good: 5)
        } else if kind == 2 || chance(8) {
            text += String("0123456789".prefix(Int.random(in: 0...9, using: &random)))
        }
        return Array(text.utf8)
    }

    /// Half of the inputs stay as they are; the others have one to three bytes changed, put in, taken out or doubled.
    private mutating func mutated(_ input: [UInt8]) -> [UInt8] {
        var bytes = input
        guard chance(2) else { return bytes }
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let position = Int.random(in: 0..<bytes.count, using: &random)
            let byte = chance(6) ? UInt8.random(in: 0...255, using: &random) : pick(Self.noise)
            switch Int.random(in: 0...4, using: &random) {
            case 0: bytes[position] = byte
            case 1: bytes.insert(byte, at: position)
            case 2: bytes.remove(at: position)
            case 3: bytes.insert(bytes[position], at: position)
            default: bytes.swapAt(position, Int.random(in: 0..<bytes.count, using: &random))
            }
        }
        return bytes
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }

    /// Mostly one of the first, which are acceptable; sometimes any.
    private mutating func pick<Element>(_ elements: [Element], good: Int) -> Element {
        chance(5) ? pick(elements) : elements[Int.random(in: 0..<good, using: &random)]
    }

    private mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }
}
