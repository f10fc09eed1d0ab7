import Core
import Testing

@Suite struct ClaimPathTests {
    @Test(arguments: [
        ("id", ["id"]), ("data.user.id", ["data", "user", "id"]), ("emails.0.value", ["emails", "0", "value"]),
        ("a~1b", ["a~1b"]), ("/a", ["a"]), ("/a/0/b", ["a", "0", "b"]), ("/a.b", ["a.b"]), ("/", [""]),
        ("/a/", ["a", ""]), ("/~01~1", ["~1/"]), ("/https:~1~1x.example~1g", ["https://x.example/g"]),
        ("1.2.3.4.5.6.7.8", ["1", "2", "3", "4", "5", "6", "7", "8"]),
    ])
    func pathsAndPointers(_ text: String, _ segments: [String]) throws {
        let path = try #require(ClaimPath(text))
        #expect(path.segments == segments)
        #expect(path.description == text)
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "/~", "/~2", "/a~", "a\0", "a\n.b", "1.2.3.4.5.6.7.8.9", "/1/2/3/4/5/6/7/8/9",
        String(repeating: "x", count: 257),
    ])
    func whatIsNone(_ text: String) { #expect(ClaimPath(text) == nil) }

    @Test func indexesAreThoseOfPointers() {
        #expect(ClaimPath.index("0") == 0)
        #expect(ClaimPath.index("9999") == 9999)
        for text in ["", "-1", "01", "+1", "1.0", "10000", "٣", "a", "99999999999999999999"] {
            #expect(ClaimPath.index(text) == nil)
        }
    }
}
