import FoundationEssentials
import Settings
import Testing

/// A small generator with a seed (SplitMix64), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Whatever stands in a file, it is taken or refused with a reason; nothing traps.
@Suite struct MutationTests {
    static let pieces = [
        "*", "&a ", "*a", "<<: ", "!!", "!x ", "? ", "- ", ": ", "{", "}", "[", "]", "\"", "'", "|\n", ">\n", "#", "\t",
        "\n",
        "\r", "\u{85}", "\u{2028}", "\0", "\u{feff}", "é", "\u{301}", "~", "9999999999999999999", "-1", "{env: X}",
        "{file: /}", "--- ", "... ", "%YAML 1.1\n", "//", "**", "0x", "::", "[::]:1", "1/0", "%", "\u{1F511}",
    ]

    func check(_ text: String) {
        do throws(SettingsError) {
            let loaded = try load(text)
            #expect(throws: Never.self) { try loaded.settings.snapshot() }
        } catch {
            #expect(!error.problems.isEmpty)
            for problem in error.problems {
                #expect(problem.line >= 1 && problem.column >= 1)
                #expect(!problem.description.utf8.contains { $0 < 0x20 })
            }
        }
    }

    @Test(arguments: GoldenTests.cases("good")) func mutatedFilesNeverTrap(_ name: String) throws {
        let path = "\(GoldenTests.folder)/good/\(name).yaml"
        let original = Array(String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self).unicodeScalars)
        var generator = SeededGenerator(state: UInt64(name.utf8.count))
        for _ in 0..<100 {
            var scalars = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let start = Int.random(in: 0...scalars.count, using: &generator)
                let end = min(scalars.count, start + Int.random(in: 0...6, using: &generator))
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: scalars.removeSubrange(start..<end)
                case 1: scalars.insert(contentsOf: scalars[start..<end], at: start)
                case 2:
                    let other = Int.random(in: 0...scalars.count, using: &generator)
                    scalars.insert(contentsOf: scalars[start..<end], at: other)
                default:
                    let piece = Self.pieces.randomElement(using: &generator) ?? ""
                    scalars.replaceSubrange(start..<end, with: Array(piece.unicodeScalars))
                }
            }
            check(String(String.UnicodeScalarView(scalars)))
        }
    }

    @Test func deepAndLongFilesNeverTrap() {
        check(String(repeating: "[", count: 100_000))
        check(String(repeating: "{a: ", count: 50_000))
        check(String(repeating: "- ", count: 50_000))
        check((0..<2_000).map { String(repeating: " ", count: $0) + "a:\n" }.joined())
        check("a: &a [x]\n" + (0..<40).map { "b\($0): &a [*a, *a]\n" }.joined())
        check(String(repeating: "a: 1\n", count: 200))
        check(String(repeating: "drain: 1s\n", count: 200))
        check("public_url: " + String(repeating: "x", count: 1 << 20))
    }

    @Test func bytesThatAreNoTextAreRefused() {
        for bytes: [UInt8] in [[0xff, 0xfe, 0x61, 0], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0]] {
            let files = RawFiles(bytes: bytes)
            #expect(throws: SettingsError.self) {
                try Settings.load("gatehouse.yaml", environment: { _ in nil }, files: files)
            }
        }
    }
}

struct RawFiles: FileReading {
    var bytes: [UInt8]

    func read(_ path: String, maximumBytes: Int) throws(FileReadingError) -> FileContent {
        FileContent(bytes: bytes, permissions: 0o600)
    }

    func names(inFolder path: String) throws(FileReadingError) -> [String] { [] }
}
