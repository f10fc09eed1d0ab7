import Core
import Foundation
import Settings
import Testing

@testable import App

/// What `init` writes is what a start takes, and otherwise it writes nothing.
@Suite struct InitTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "gatehouse-\(UUID())").path
    private var path: String { folder + "/gatehouse.yaml" }
    private var invocation: Invocation { Invocation(configuration: path, json: true) }

    private func initialise(_ publicURL: String, _ apps: String..., administrator: String? = nil) throws {
        try Commands.initialise(invocation, publicURL: publicURL, administrator: administrator, apps: apps)
    }

    private func expectNothing(_ status: CommandFailure.Status, _ words: String, _ body: () throws -> Void) {
        let failure = #expect(throws: CommandFailure.self) { try body() }
        #expect(failure?.status == status)
        #expect(words.isEmpty || failure?.message.contains(words) == true, "\(failure?.message ?? "")")
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test(
        arguments: [
            ("https://auth.example.com", ["wiki.example.com"], "example.com"),
            ("https://example.com", ["wiki.example.com", "*.apps.example.com"], "example.com"),
            ("http://auth.apps.localhost:8080", ["wiki.apps.localhost"], "apps.localhost"),
            ("https://auth.example.com", ["auth.example.com"], nil), ("http://localhost:8080", ["localhost"], nil),
            ("http://127.0.0.1:8080", ["127.0.0.1"], nil), ("https://auth.example.com", [], nil),
        ] as [(String, [String], String?)])
    func writesTheDomainByWhichAppsSeeASession(publicURL: String, hosts: [String], domain: String?) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Commands.initialise(
            invocation, publicURL: publicURL, administrator: nil, apps: hosts.map { "\($0)=http://127.0.0.1:3000" })
        let loaded = try invocation.load(secrets: .read)
        #expect(loaded.settings.sessions.cookieDomain == domain)
        #expect(loaded.settings.dataFolder == folder + "/data")
    }

    @Test(arguments: [
        ("https://auth.example.com", "wiki.example.org", "below one domain"),
        ("http://auth.localhost:8080", "wiki.localhost", "localhost itself"),
        ("http://127.0.0.1:8080", "wiki.example.com", "below one domain"),
    ])
    func refusesAppsThatCouldNotSeeIt(publicURL: String, host: String, words: String) {
        expectNothing(.usage, words) { try initialise(publicURL, "\(host)=http://127.0.0.1:3000") }
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test(arguments: [
        "wiki.example.com=http://h:1/base", "wiki.example.com:8080=http://h:1", "wiki.example.com=ftp://h",
        "wiki.example.com", "=http://h:1", "wiki.example.com=http://h\"}\nroutes: [", "wiki example.com=http://h:1",
        "wiki.example.com\"=http://h:1", "*.*.example.com=http://h:1", "wiki.example.com=http://h:0",
    ])
    func refusesAppsThatNoConfigurationTakes(app: String) {
        expectNothing(.usage, "") { try initialise("https://auth.example.com", app) }
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func refusesOneHostTwice() {
        expectNothing(.usage, "nothing was written") {
            try initialise("https://auth.example.com", "wiki.example.com=http://h:1", "WIKI.example.com=http://h:2")
        }
    }

    @Test(arguments: [("c2hvcnQ=\n", 0o600), (Base64.encode([UInt8](repeating: 7, count: 32)), 0o644)])
    func refusesAKeyThatNoStartWouldTake(text: String, mode: Int) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let key = folder + "/master.key"
        #expect(
            FileManager.default.createFile(
                atPath: key, contents: Data(text.utf8), attributes: [.posixPermissions: mode]))
        expectNothing(.exists, key) { try initialise("https://auth.example.com") }
        #expect(try String(contentsOfFile: key, encoding: .utf8) == text)
    }

    @Test func keepsAKeyThatIsThere() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let key = folder + "/master.key"
        try Commands.generateKey(invocation, out: key)
        let before = try String(contentsOfFile: key, encoding: .utf8)
        try initialise("https://auth.example.com")
        #expect(try String(contentsOfFile: key, encoding: .utf8) == before)
        _ = try invocation.load(secrets: .read)
    }

    @Test func refusesAnAdministratorWhoHasAnAccount() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try initialise("https://auth.example.com", administrator: "ops@example.com")
        try FileManager.default.removeItem(atPath: path)
        expectNothing(.exists, "already") {
            try initialise("https://auth.example.com", administrator: "OPS@example.com")
        }
        // Without that, what is there is taken up again.
        try initialise("https://auth.example.com")
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test func theFolderMayHaveAnyName() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "gate house: #\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let invocation = Invocation(configuration: folder + "/gatehouse.yaml", json: true)
        try Commands.initialise(
            invocation, publicURL: "https://auth.example.com", administrator: "ops@example.com", apps: [])
        #expect(try invocation.load(secrets: .read).settings.dataFolder == folder + "/data")
    }
}
