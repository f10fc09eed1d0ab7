import Core
import HTTPWire
import Testing

private let lifted: [(String, Refusal.Code, PathTraits)] = [
    ("/a%2fb", .encodedSlash, .encodedSlash), ("/a%2F", .encodedSlash, .encodedSlash),
    ("/a%5cb", .encodedBackslash, .encodedBackslash), ("/a%5C", .encodedBackslash, .encodedBackslash),
    ("//", .emptySegment, .emptySegment), ("/a//b", .emptySegment, .emptySegment),
    ("/a//", .emptySegment, .emptySegment), ("//a", .emptySegment, .emptySegment),
    ("/;x/a", .emptySegment, .emptySegment), ("/a/;/b", .emptySegment, .emptySegment),
    ("/%3bx/a", .emptySegment, .emptySegment),
    ("/a%2f%2fb", .encodedSlash, [.encodedSlash, .emptySegment]),
    ("/a/%5cb", .encodedBackslash, [.encodedBackslash, .emptySegment]),
    ("/http:%2f%2fa", .encodedSlash, [.encodedSlash, .emptySegment]),
]

@Suite struct PathTests {
    @Test(arguments: [
        "/..", "/.", "/a/../b", "/a/./b", "/a/..", "/../", "/..;", "/..;x", "/..;/a", "/public/..;/admin", "/.;a=b/c",
        "/%2e", "/%2E%2e", "/.%2e", "/%2e./x", "/.%2e;", "/%2e%2e;x=y/a", "/..%3b", "/..%3Bx/a", "/a;b/..;c/d",
        // With an encoded slash or backslash read as a slash.
        "/a%2f..%2fb", "/%2f..%2f", "/..%2f", "/a%2F..", "/..;%2fa", "/;%2f..", "/a%5c..%5cb", "/..%5cb", "/a%2f.%5cb",
        "/a%5C%2e%2E/b",
    ])
    func lesson37_dotSegmentsAreRefusedInEveryReading(_ path: String) {
        #expect(judge(path) == .dotSegment)
        #expect(judge(path, keeping: .liftable) == .dotSegment)
        #expect(parsePath(path).code == .dotSegment)
        #expect(parse("GET http://a.example\(path) HTTP/1.1\r\nHost: a.example\r\n\r\n").code == .dotSegment)
    }

    @Test(arguments: [
        "/", "/a", "/a/", "/...", "/a/.b", "/a/..b", "/a../b", "/.well-known/x", "/.a;..", "/a;..", "/a;./b", "/%61",
        "/a%2eb", "/%C3%A9", "/~u/{x}|y^z\"<>`", "/a%25", "/a%2541", "/a%20b", "/a%23b%3fc", "/a:b@c,d$e&f'(g)*h+i=j!",
        "/x;y=1/z", "/;jsessionid=1", "/a%3Bb",
    ])
    func ordinaryPathsPass(_ path: String) {
        #expect(judge(path) == nil)
        #expect(parsePath(path).request?.path == path)
    }

    @Test(arguments: lifted.indices)
    func threeRefusalsCanBeLiftedByTheRoute(_ index: Int) {
        let (path, code, lifting) = lifted[index]
        #expect(judge(path) == code)
        #expect(judge(path, keeping: lifting) == nil)
        #expect(Refusal(code).liftedBy == code.rawValue)
        #expect(judge(path, keeping: .liftable.subtracting(lifting)) == code)
        #expect(parsePath(path).request?.path == path)
        if lifting.contains(.emptySegment), lifting != .emptySegment {
            #expect(judge(path, keeping: lifting.subtracting(.emptySegment)) == .emptySegment)
        }
    }

    @Test(arguments: [
        "/%252e", "/%252E%252e", "/a%252fb", "/a%252Fb", "/a%255cb", "/a%255Cb", "/a%2500", "/%25%32e", "/%25%32%65",
        "/%25%352f/%252f", "/a;%252e", "/%252%65",
    ])
    func lesson37_doubleEscapesAreRefused(_ path: String) {
        #expect(judge(path, keeping: .liftable) == .doubleEscape)
        #expect(parsePath(path).code == .doubleEscape)
    }

    @Test(arguments: [
        ("/%00", Refusal.Code.encodedNull), ("/a;%00", .encodedNull), ("/%01", .encodedControl),
        ("/%0A", .encodedControl),
        ("/%1f", .encodedControl), ("/%7f", .encodedControl), ("/a\\b", .rawBackslash), ("/..\\", .rawBackslash),
        ("/a%", .badEscape), ("/a%2", .badEscape), ("/a%2x", .badEscape), ("/%%41", .badEscape), ("/a#b", .fragment),
    ])
    func nothingLiftsTheRest(_ path: String, _ code: Refusal.Code) {
        #expect(judge(path, keeping: .liftable) == code)
        #expect(parsePath(path).code == code)
    }

    @Test func lesson06_encodedDelimitersAreOrdinaryBytesAndRawOnesRefused() {
        #expect(parsePath("/foo/x%23/bar").request?.path == "/foo/x%23/bar")
        #expect(parsePath("/foo/x%3fy/bar").request?.query == nil)
        #expect(parsePath("/foo/x#/bar").code == .fragment)
        #expect(parsePath("/foo?x#/bar").code == .fragment)
    }

    @Test(arguments: ["", "admin", "*/", "@/", "a.example/x", "ws://a/", "http//a", "http:", "http://", "\u{0}"])
    func lesson83_aTargetWithoutItsSlashIsRefused(_ target: String) {
        #expect(judge(target) == .targetInvalid)
        #expect(parsePath(target).request == nil)
    }

    @Test func lesson12_aMalformedDescriptionIsAnErrorAndNeverParts() {
        for url in [
            "https://", "https:///x", "https://a b/", "https://a/\u{0}", "https://a/%", "https://a/é", "//a/b#",
        ] {
            #expect(judge(url) != nil, "\(url)")
        }
    }

    @Test func lesson56_theJudgedPathIsTheForwardedOne() {
        let request = parsePath("/a;p=1/%62?x=/../y").request
        #expect(request?.path == "/a;p=1/%62")
        #expect(request.map { $0.path + "?" + ($0.query ?? "") } == request?.target)
    }

    @Test func describedTargets() throws {
        try Array("HTTPS://wiki.example.com:8443/a%2fb;c?d=e".utf8).withUnsafeBytes { bytes in
            let parts = try RequestTarget.check(bytes)
            #expect(text(parts.authority, bytes) == "wiki.example.com:8443")
            #expect(text(parts.path, bytes) == "/a%2fb;c")
            #expect(parts.query.map { text($0, bytes) } == "d=e")
            #expect(parts.isHTTPS == true)
            #expect(parts.traits == [.escapes, .parameters, .encodedSlash])
        }
        try Array("/a?".utf8).withUnsafeBytes { bytes in
            let parts = try RequestTarget.check(bytes)
            #expect(parts.query?.isEmpty == true && parts.authority.isEmpty && parts.isHTTPS == nil)
        }
        #expect(judge("/" + String(repeating: "a", count: 8192)) == .targetTooLong)
        #expect(judge("https://user:pw@a.example/") == .hostInvalid)
    }

    @Test func refusalsOfPathsNameTheirReason() {
        #expect(Refusal(.dotSegment).reason == .pathRefused)
        #expect(Refusal(.methodRefused).reason == .methodRefused)
        #expect(Refusal(.headTooLarge).reason == .tooLarge)
        #expect(Refusal(.bareLineFeed).reason == nil)
        #expect(Refusal(.encodedSlash).description.contains("keep_in_path"))
    }
}
