import FoundationEssentials
import Policy
import Settings
import Testing

/// One file, one case: `good/NAME.yaml` loads as `good/NAME.expected` says, `bad/NAME.yaml` is refused with exactly the
/// lines of `bad/NAME.expected`. With `GATEHOUSE_UPDATE_GOLDEN` set the expectations are written instead.
@Suite struct GoldenTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden").path
    static let updates = ProcessInfo.processInfo.environment["GATEHOUSE_UPDATE_GOLDEN"] != nil

    static func cases(_ kind: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(kind)")) ?? [])
            .filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }

    static func run(_ kind: String, _ name: String) -> Result<Settings.Loaded, SettingsError> {
        do throws(SettingsError) {
            return .success(
                try Settings.load(
                    "\(name).yaml", environment: { GoldenFiles.environment[$0] },
                    files: GoldenFiles(folder: "\(folder)/\(kind)"), certificates: StubInspector(),
                    eventTypes: ["sign_in", "sign_out", "user_added", "user_disabled", "password_changed"]))
        } catch {
            return .failure(error)
        }
    }

    func expect(_ text: String, in file: String) throws {
        let path = "\(Self.folder)/\(file).expected"
        if Self.updates { try Data(text.utf8).write(to: URL(filePath: path)) }
        let expected = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        #expect(text == expected)
    }

    @Test(arguments: cases("good")) func good(_ name: String) throws {
        let loaded = try Self.run("good", name).get()
        try expect(dump(loaded), in: "good/\(name)")
        _ = try loaded.settings.snapshot()
    }

    @Test(arguments: cases("bad")) func bad(_ name: String) throws {
        guard case .failure(let error) = Self.run("bad", name) else {
            Issue.record("\(name).yaml loads")
            return
        }
        let lines = error.problems.map(\.description) + error.warnings.map { "warning: \($0)" }
        try expect(lines.joined(separator: "\n") + "\n", in: "bad/\(name)")
    }

    @Test func thereAreEnoughCases() {
        #expect(Self.cases("bad").count >= 40)
        #expect(Self.cases("good").count >= 5)
    }
}
