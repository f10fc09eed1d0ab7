import Core
import Settings
import Testing

@Suite struct SecretTests {
    @Test func theKeyIsDecoded() throws {
        let key = try #require(try load(minimal()).settings.masterKey)
        #expect(key.withUnsafeBytes { Array($0) } == Array(0..<32))
    }

    @Test func oneNewlineIsDropped() throws {
        let secret = ["secret": (text: "0123456789abcdef\n", permissions: UInt16(0o600))]
        let settings = try load(minimal("proxy_secret: { file: secret }"), files: secret).settings
        #expect(settings.proxySecret?.withUnsafeBytes { Array($0) } == Array("0123456789abcdef".utf8))
        let two = ["secret": (text: "0123456789abcdef\n\n", permissions: UInt16(0o600))]
        #expect(!problems(minimal("proxy_secret: { file: secret }"), files: two).isEmpty)
    }

    @Test func secretsAreNeverInMessages() {
        let word = "swordfish-swordfish"
        let text = minimal(
            "master_key: \(word)\nprevious_master_keys: [\(word), { env: S }]\nproxy_secret: \"\(word) \"")
        let found = problems(text, environment: ["S": word])
        #expect(found.count == 4)
        #expect(!found.joined().contains("swordfish"))
    }

    @Test func secretsCanBeLeftAlone() throws {
        let text = minimal(
            """
            master_key: { file: absent }
            previous_master_keys: [ { file: absent } ]
            proxy_secret: { file: absent }
            jwt: { issuers: [ { id: a, issuer: a, audiences: [w], jwks_file: absent, algorithms: [HS256] } ] }
            """)
        let settings = try load(text, secrets: .leave).settings
        #expect(settings.masterKey == nil && settings.previousMasterKeys.isEmpty && settings.proxySecret == nil)
        #expect(settings.requiresProxySecret)
        #expect(problems(text).count == 4)
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o644, 0o610] as [UInt16]) func openFilesAreRefused(_ mode: UInt16) {
        let files = ["k": (text: GoldenFiles.key, permissions: mode)]
        let found = problems(minimal("master_key: { file: k }"), files: files)
        #expect(found.count == 1 && found.allSatisfy { $0.contains("others") })
    }

    @Test func filesStartAtTheFolderOfTheConfiguration() throws {
        let files = GoldenFiles(
            folder: "/nonexistent",
            texts: [
                "/etc/gatehouse/gatehouse.yaml": (minimal("data_dir: data\ninclude: [a.yaml]"), 0o644),
                "/etc/gatehouse/a.yaml": ("routes: []", 0o644),
                "/etc/gatehouse/master.key": (GoldenFiles.key, 0o600),
            ])
        let loaded = try Settings.load("/etc/gatehouse/gatehouse.yaml", environment: { _ in nil }, files: files)
        #expect(loaded.settings.dataFolder == "/etc/gatehouse/data")
        #expect(loaded.files == ["/etc/gatehouse/gatehouse.yaml", "/etc/gatehouse/a.yaml"])
    }

    @Test func anUnreadableFileIsSaidSo() {
        let error = #expect(throws: SettingsError.self) {
            try Settings.load("absent.yaml", environment: { _ in nil }, files: GoldenFiles(folder: "/nonexistent"))
        }
        #expect(error?.code == .unreadable)
        #expect(error?.description.hasPrefix("absent.yaml:1:1: the file does not exist; `gatehouse init`") == true)
    }
}
