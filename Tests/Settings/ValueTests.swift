import FoundationEssentials
import Testing

@testable import Settings

@Suite struct ValueTests {
    @Test(arguments: [
        ("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("0s", 0), ("007s", 7),
    ]) func durations(_ text: String, _ seconds: Int64) {
        #expect(Measures.duration(text) == .seconds(seconds))
    }

    @Test(arguments: [
        "", "s", "90", "90 s", "90S", "-1s", "+1s", "1.5h", "1h30m", "1_000s", "9999999999999999999s", "९s",
    ])
    func noDurations(_ text: String) {
        #expect(Measures.duration(text) == nil)
    }

    @Test(arguments: [("0B", 0), ("64KiB", 65_536), ("10MiB", 10 << 20), ("64GiB", 64 << 30), ("1TiB", 1 << 40)])
    func sizes(_ text: String, _ bytes: UInt64) {
        #expect(Measures.size(text) == bytes)
    }

    @Test(arguments: ["", "64", "64K", "64kB", "64MB", "64 KiB", "-1KiB", "999999999999999999TiB", "1.5GiB", "०B"])
    func noSizes(_ text: String) {
        #expect(Measures.size(text) == nil)
    }

    @Test(arguments: [
        ("upsteam", "upstream"), ("uptsream", "upstream"), ("hots", "host"), ("Drain", "drain"), ("work", "workers"),
    ]) func nearNamesAreFound(_ word: String, _ name: String) {
        #expect(Nearest.to(word, among: ["drain", "host", "upstream", "workers"]) == name)
    }

    @Test(arguments: ["colour", "x", "", "ho", "downstream"]) func farNamesAreNot(_ word: String) {
        #expect(Nearest.to(word, among: ["drain", "host", "upstream", "workers"]) == nil)
    }

    @Test(arguments: [
        ("a.yaml", "*.yaml", true), ("a.yaml", "a*", true), ("a.yaml", "*a*l", true), ("a.yaml", "*", true),
        ("a.yml", "*.yaml", false), (".a.yaml", "*.yaml", false), (".a.yaml", ".*", true), ("b", "", false),
    ]) func filePatterns(_ name: String, _ pattern: String, _ fits: Bool) {
        #expect(FilePattern.matches(name, pattern) == fits)
    }
}

@Suite struct DiskFilesTests {
    /// A folder that is there for the time of `body`.
    func withFolder(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "gatehouse-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    func code(_ path: String, maximumBytes: Int = 100) -> FileReadingError.Code? {
        do throws(FileReadingError) {
            _ = try DiskFiles().read(path, maximumBytes: maximumBytes)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func contentAndModeAreThoseOfTheFileItself() throws {
        try withFolder { folder in
            try Data("secret\n".utf8).write(to: URL(filePath: "\(folder)/a"))
            for mode: UInt16 in [0o600, 0o640, 0o644] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(folder)/a")
                let content = try DiskFiles().read("\(folder)/a", maximumBytes: 7)
                #expect(content.bytes == Array("secret\n".utf8))
                #expect(content.permissions == mode)
            }
            try FileManager.default.createSymbolicLink(atPath: "\(folder)/link", withDestinationPath: "\(folder)/a")
            #expect(try DiskFiles().read("\(folder)/link", maximumBytes: 7).permissions == 0o644)
            #expect(try DiskFiles().names(inFolder: folder).sorted() == ["a", "link"])
        }
    }

    @Test func whatCannotBeReadIsSaidSo() throws {
        try withFolder { folder in
            try Data("secret\n".utf8).write(to: URL(filePath: "\(folder)/a"))
            #expect(code("\(folder)/absent") == .missing)
            #expect(code(folder) == .notAFile)
            #expect(code("\(folder)/a", maximumBytes: 6) == .tooLarge)
            #expect(code("/dev/zero") == .notAFile)
            #expect(throws: FileReadingError(.missing)) { try DiskFiles().names(inFolder: "\(folder)/absent") }
        }
    }
}
