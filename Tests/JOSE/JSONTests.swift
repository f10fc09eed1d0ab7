import Core
import Testing

@testable import JOSE

func json(_ text: String, limits: JSONLimits = JSONLimits()) throws -> JSONValue {
    try JSONReader.parse(Array(text.utf8), limits: limits)
}

@Suite struct JSONTests {
    @Test func valuesAreRead() throws {
        let value = try json(
            #" { "a" : [1, -2, 0, 1.5e3, 9223372036854775807, 9223372036854775808] , "b":"x\n\u00e9\ud83d\ude00\/", "#
                + #""c":{"d":[true,false,null],"e":{}},"f":"é","g":[]} "#)
        let numbers = try #require(value["a"]?.elements)
        #expect(numbers.map(\.integer) == [1, -2, 0, nil, .max, nil])
        #expect(numbers[3].double == 1500)
        #expect(numbers[5].double == 9_223_372_036_854_775_808)
        #expect(value["b"]?.string == "x\né😀/")
        #expect(value["c"]?["d"]?.elements?.map(\.bool) == [true, false, nil])
        #expect(value["c"]?["d"]?.elements?[2].isNull == true)
        #expect(value["c"]?["e"]?.members?.isEmpty == true)
        #expect(value["f"]?.equals("é") == true)
        #expect(value["f"]?.equals("e\u{301}") == false)
        #expect(value["g"]?.strings == [])
        #expect(value["a"]?.strings == nil)
        #expect(value["missing"] == nil)
        #expect(value["a"]?["x"] == nil)
        #expect(value.members?.map(\.name) == ["a", "b", "c", "f", "g"])
        #expect(value["f"]?.utf8 == Array("é".utf8))
    }

    @Test func integersToTheirEnds() throws {
        for text in ["0", "-0", "7", "-1", "\(Int64.max)", "\(Int64.min)", "1700000000"] {
            #expect(try JSONReader.parse(Array(text.utf8)).integer == Int64(text))
        }
        for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999", "1.0", "1e1"] {
            #expect(try JSONReader.parse(Array(text.utf8)).integer == nil)
        }
    }

    @Test func aNumberThatNothingHoldsIsNone() throws {
        #expect(try json("1e999").double == nil)
        #expect(try json("-0").integer == 0)
        #expect(try json("1.0").integer == nil)
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#,
        #"{"a" 1}"#, "{a:1}", "{'a':1}", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "Infinity", "tru",
        "True", "nul", "nullx", "1 2", "{} {}", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\u{1}\"",
        "\"\n\"", "/* */1", "// x\n1", "\u{feff}1", "1\u{0}", "\u{a0}1", #""\ud800""#, #""\udc00""#,
        #""\ud800\ud800""#, #""\ud800x""#, #""\ud800\n""#, #""\ud83d\u0041""#, "[1}", "{\"a\":1]",
    ]) func whatIsNotRFC8259IsRefused(text: String) {
        #expect(throws: JOSEError(.malformed, "")) { try json(text) }
    }

    @Test(
        arguments: [
            [0xff], [0x80], [0xc0, 0xaf], [0xc1, 0xbf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80],
            [0xf0, 0x80, 0x80, 0xaf],
            [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82], [0xc3], [0xf0, 0x9f, 0x98],
            [0xe2, 0x28, 0xa1],
        ] as [[UInt8]]) func invalidUTF8IsRefused(bytes: [UInt8])
    {
        #expect(throws: JOSEError(.malformed, "")) { try JSONReader.parse([0x22] + bytes + [0x22]) }
        #expect(throws: JOSEError(.malformed, "")) { try JSONReader.parse([0x22] + bytes) }
    }

    @Test(arguments: [
        #"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#, #"{"\u0061":1,"a":2}"#, #"{"x":{"b":1,"c":2,"b":3}}"#,
        #"{"":1,"":2}"#, #"{"é":1,"\u00e9":2}"#, #"[{"k":1},{"k":1,"k":2}]"#,
    ]) func lesson85_aNameThatOccursTwiceIsRefused(text: String) {
        #expect(throws: JOSEError(.malformed, "")) { try json(text) }
    }

    @Test func aNameThatOccursTwiceAmongManyIsRefused() throws {
        let many = (0..<500).map { #""n\#($0)":\#($0)"# }.joined(separator: ",")
        let value = try json("{\(many)}")
        #expect(value["n499"]?.integer == 499)
        for name in ["n0", "n15", "n16", "n250", "n499", #"\u006e17"#] {
            #expect(throws: JOSEError(.malformed, "")) { try json("{\(many),\"\(name)\":1}") }
        }
    }

    @Test func lesson85_sizeAndDepthAreBounded() throws {
        #expect(throws: Never.self) { try json(String(repeating: "[", count: 8) + String(repeating: "]", count: 8)) }
        #expect(throws: JOSEError(.tooLarge, "")) {
            try json(String(repeating: "[", count: 9) + String(repeating: "]", count: 9))
        }
        #expect(throws: JOSEError(.tooLarge, "")) { try json(String(repeating: #"{"a":"#, count: 1000)) }
        #expect(throws: Never.self) { try json("\"" + String(repeating: "x", count: 8190) + "\"") }
        #expect(throws: JOSEError(.tooLarge, "")) { try json("\"" + String(repeating: "x", count: 8191) + "\"") }
    }

    @Test func noInputTraps() {
        let seed = Array(
            #"{"a":[1,-2.5e3,"x\n\ud83d\ude00é",true,null],"b":{"c":{"d":[]}},"e":"\\\"","f":123456789012345678901}"#
                .utf8)
        var generator = SplitMix(seed: 3)
        let interesting = Array("{}[]\":,\\u019eE+-.tfn \u{7f}".utf8) + [0, 0x80, 0xc3, 0xff]
        for _ in 0..<20_000 {
            var text = seed
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<text.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: text[place] = interesting[Int.random(in: 0..<interesting.count, using: &generator)]
                case 1: text.insert(interesting[Int.random(in: 0..<interesting.count, using: &generator)], at: place)
                default: text.remove(at: place)
                }
            }
            if let value = try? JSONReader.parse(text) { touch(value) }
        }
    }

    private func touch(_ value: JSONValue) {
        _ = (value.string, value.integer, value.double, value.bool)
        value.elements?.forEach(touch)
        value.members?.forEach { touch($0.value) }
    }

    @Test func whatIsWrittenIsRead() throws {
        var writer = JSONWriter()
        writer.member("text", "quote \" backslash \\ control \u{1}\n é 😀 </script>")
        writer.member("none", nil as String?)
        writer.member("number", Int64.min)
        writer.member("yes", true)
        writer.member("list", ["a", "b\u{0}"])
        writer.object("inner") { inner in
            inner.member("x", 1)
            inner.array("objects", of: [1, 2]) { $0.member("v", $1) }
        }
        writer.member("empty", [String]())
        let bytes = writer.finish()
        let value = try JSONReader.parse(bytes)
        #expect(value["text"]?.string == "quote \" backslash \\ control \u{1}\n é 😀 </script>")
        #expect(value["none"] == nil)
        #expect(value["number"]?.integer == .min)
        #expect(value["list"]?.strings == ["a", "b\u{0}"])
        #expect(value["inner"]?["objects"]?.elements?.compactMap { $0["v"]?.integer } == [1, 2])
        #expect(value.members?.map(\.name) == ["text", "number", "yes", "list", "inner", "empty"])
        #expect(JSONWriter().finish() == Array("{}".utf8))
    }
}

/// A generator with a seed, so that a failure comes again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
