import Core
import Policy
import Settings
import Testing

/// What a reload says has changed.
@Suite struct DifferenceTests {
    private static let base = """
        public_url: https://auth.example.com
        upstreams: { wiki: { url: "http://127.0.0.1:3000" }, a.b: { url: "http://127.0.0.1:3001" } }
        routes:
          - { name: wiki, host: wiki.example.com, upstream: wiki, rules: [ { allow: { groups: [staff] } } ] }
          - { host: blog.example.com, upstream: wiki, rules: [ { paths: ["/a/**"], allow: everyone }, { allow: signed_in } ] }
        sessions: { cookie: { domain: example.com } }
        """

    private func differences(_ old: String, _ new: String) throws -> [String] {
        Settings.differences(from: try load(old), to: try load(new))
    }

    @Test func nothingDiffersFromItself() throws {
        #expect(try differences(Self.base, Self.base) == [])
        #expect(try differences(Self.base, Self.base + "\n# a remark\n") == [])
    }

    @Test(arguments: [
        ("groups: [staff]", "groups: [admins]", ["routes[wiki].rules[0].allow.groups[0]"]),
        ("groups: [staff]", "groups: [staff, admins]", ["routes[wiki].rules[0].allow.groups[1]"]),
        (
            "allow: signed_in", "allow: { users: [mary] }",
            [
                "routes[blog.example.com].rules[1].allow", "routes[blog.example.com].rules[1].allow.users",
            ]
        ),
        ("127.0.0.1:3001", "127.0.0.1:3002", [#"upstreams."a.b".url"#]),
        (#", a.b: { url: "http://127.0.0.1:3001" }"#, "", [#"upstreams."a.b""#]),
        ("routes:", "drain: 5s\nroutes:", ["drain"]),
        (
            "routes:", "routes:\n  - { host: new.example.com, rules: [ { allow: everyone } ] }",
            ["routes[new.example.com]"]
        ),
        ("routes:", "log: { level: debug, format: json }\nroutes:", ["log"]),
    ])
    func namesTheKeys(old: String, new: String, expected: [String]) throws {
        #expect(try differences(Self.base, Self.base.replacing(old, with: new)) == expected)
    }

    @Test func theOrderOfRoutesMatters() throws {
        var lines = Self.base.split(separator: "\n").map(String.init)
        lines.swapAt(3, 4)
        #expect(try differences(Self.base, lines.joined(separator: "\n")) == ["routes"])
    }

    @Test func aSecretFileWithOtherContentIsADifferenceThatTellsNothing() throws {
        let text = Self.base + "\ntrusted_proxies: [unix]\nproxy_secret: { file: s }\n"
        let old = try load(text, files: ["s": ("correct-horse-battery", 0o600)])
        let new = try load(text, files: ["s": ("another-horse-battery", 0o600)])
        #expect(Settings.differences(from: old, to: new) == ["proxy_secret"])
        #expect(Settings.differences(from: old, to: old) == [])
    }

    @Test func whatNeedsARestartKeepsItsValue() throws {
        let old = try load(Self.base).settings
        let text =
            Self.base.replacing("https://auth", with: "http://other") + """

                workers: 3
                data_dir: elsewhere
                listen: { address: "127.0.0.1:8081" }
                monitor_listen: 127.0.0.1:9181
                store: { max_size: 1GiB }
                drain: 5s
                """
        let new = try load(text).settings
        #expect(
            old.keysToRestart(for: new) == ["listen", "monitor_listen", "data_dir", "public_url", "workers", "store"])
        let reloaded = old.reloaded(with: new)
        #expect(old.keysToRestart(for: reloaded) == [])
        #expect(reloaded.drain == .seconds(5))
        #expect(reloaded.publicURL == old.publicURL)
        // The default of a key, written out, is no change.
        #expect(
            old.keysToRestart(for: try load(Self.base + "\nworkers: auto\ndata_dir: /var/lib/gatehouse").settings) == []
        )
    }

    @Test func theOriginInForceDecidesWhatRoutesDependOn() throws {
        let files = GoldenFiles(
            folder: "/nonexistent",
            texts: ["gatehouse.yaml": (Self.base.replacing("https://auth", with: "http://auth"), 0o644)])
        let kept = try load(Self.base).settings.publicURL
        let loaded = try Settings.load("gatehouse.yaml", environment: { _ in nil }, files: files, keeping: kept)
        #expect(loaded.settings.routes.map(\.policy.scheme) == [.https, .https])
        #expect(loaded.settings.publicURL.scheme == .http)
    }

    @Test func theDataFolderIsFoundInABadConfiguration() throws {
        func folder(_ text: String) throws -> String {
            let files = GoldenFiles(folder: "/nonexistent", texts: ["/etc/g/gatehouse.yaml": (text, 0o644)])
            return try Settings.dataFolder(of: "/etc/g/gatehouse.yaml", environment: { _ in nil }, files: files)
        }
        #expect(try folder("rutes: []\ndata_dir: data\nlog: { level: loud }") == "/etc/g/data")
        #expect(try folder("routes: []") == "/var/lib/gatehouse")
        #expect(throws: SettingsError.self) { try folder("data_dir: [") }
        #expect(throws: SettingsError.self) { try folder("data_dir: { a: b }") }
    }
}
