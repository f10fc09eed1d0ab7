import FoundationEssentials
import Testing

@testable import Settings

/// The table, the reference file and the code say the same.
@Suite struct ReferenceTests {
    static let config = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "config")

    static func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: config.appending(path: name)), as: UTF8.self)
    }

    /// The reference with every `#key` made a key.
    static func everything() throws -> String {
        try text("gatehouse.yaml").split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let indent = line.prefix { $0 == " " }
            let rest = line.dropFirst(indent.count)
            guard rest.hasPrefix("#"), rest.count > 1 else { return String(line) }
            let body = rest.dropFirst()
            // Explanations have one space after the #; inside a commented block the # stands before the indentation.
            let isKey = !body.hasPrefix(" ") || body.hasPrefix("  ")
            return isKey ? String(indent) + String(body) : String(line)
        }.joined(separator: "\n")
    }

    /// Rules and header names have the same keys wherever they stand; once in the reference is enough.
    static func shared(_ path: String) -> String {
        let path = path.replacing("rule_sets.*[]", with: "routes[].rules[]")
        return path.hasPrefix("identity_headers") ? "routes[]." + path : path
    }

    @Test func theFilesInConfigLoad() throws {
        for name in ["gatehouse.yaml", "minimal.yaml"] {
            let text = try Self.text(name)
            #expect(problems(text) == [], "\(name)")
        }
        #expect(problems(try Self.everything()) == [])
    }

    @Test func theReferenceNamesEveryKeyWithItsDefault() throws {
        var reader = DocumentReader(file: "gatehouse.yaml")
        let root = try #require(reader.read(Array(try Self.everything().utf8))?.root)
        var written: [String: Set<String>] = [:]
        collect(root, Schema.main, "", &written)
        for key in Schema.rows where !key.path.hasPrefix("previous_master_keys[") {
            let values = try #require(written[Self.shared(key.path)], "\(key.path) is not in config/gatehouse.yaml")
            guard let standard = key.standard, key.kind != .section else { continue }
            let place = Document.Location(file: "", line: 1, column: 1)
            let expected = render(Defaults.node(standard, at: place))
            #expect(values.contains(expected), "\(key.path): default \(expected) is not in config/gatehouse.yaml")
        }
    }

    @Test func whatNobodyWroteIsWhatTheReferenceSays() throws {
        let active = try load(try Self.text("gatehouse.yaml"))
        #expect(active.warnings.isEmpty)
        #expect(active.settings.drain == .seconds(30))
        #expect(active.settings.storeMaximumSize == 64 << 30)
        #expect(active.settings.apiKeys.maximumLifetime == .seconds(365 * 86400))
    }

    @Test func everyKeyOfTheTableIsRead() throws {
        let files = GoldenFiles(
            folder: "/nonexistent",
            texts: [
                "gatehouse.yaml": (try Self.everything().replacing("#include: []", with: ""), 0o644),
                "robots.jwks.json": ("{}", 0o600),
            ])
        let run = Settings.run("gatehouse.yaml", environment: { _ in nil }, files: files, secrets: .read)
        #expect(run.reading.problems.map(\.description) == [])
        let idle = Set(Schema.rows.map { Self.shared($0.path) }).subtracting(run.reading.consulted.map(Self.shared))
        #expect(idle == [])
    }

    @Test func defaultsAreReadable() {
        let place = Document.Location(file: "", line: 1, column: 1)
        for key in Schema.rows + Schema.includedRows {
            #expect(!key.summary.isEmpty)
            guard let standard = key.standard else { continue }
            if case .unusable = Defaults.node(standard, at: place).content { Issue.record("\(key.path)") }
        }
        let paths = Schema.rows.map(\.path)
        #expect(Set(paths).count == paths.count)
    }

    private func collect(
        _ node: Document.Node, _ schema: SchemaNode, _ path: String, _ written: inout [String: Set<String>]
    ) {
        if !path.isEmpty { written[Self.shared(path), default: []].insert(render(node)) }
        switch node.content {
        case .text, .unusable: break
        case .list(let items):
            guard let below = schema.anyItem else { return }
            for item in items { collect(item, below, path + "[]", &written) }
        case .map(let entries):
            for entry in entries {
                guard let below = schema.child(entry.key) else {
                    if let any = schema.anyName { collect(entry.value, any, path + ".*", &written) }
                    continue
                }
                collect(entry.value, below, path.isEmpty ? entry.key : path + "." + entry.key, &written)
            }
        }
    }

    private func render(_ node: Document.Node) -> String {
        switch node.content {
        case .text(let text, _): text
        case .list(let items): "[" + items.map(render).joined(separator: ", ") + "]"
        case .map(let entries): "{" + entries.map { "\($0.key): \(render($0.value))" }.joined(separator: ", ") + "}"
        case .unusable: "?"
        }
    }
}
