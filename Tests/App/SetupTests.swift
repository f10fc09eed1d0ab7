import Core
import Foundation
import Settings
import Testing

@testable import App

@Suite struct SetupTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "gatehouse-\(UUID())").path

    private func mode(_ path: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test func whatInitWritesLoadsAndIsNeverOverwritten() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/gatehouse.yaml"
        let invocation = Invocation(configuration: path, json: true)
        try Commands.initialise(
            invocation, publicURL: "https://auth.example.com", administrator: "ops@example.com",
            apps: ["wiki.example.com=http://127.0.0.1:3000", "*.apps.example.com=unix:/run/apps.sock"])
        let loaded = try invocation.load(secrets: .read)
        #expect(loaded.warnings.isEmpty)
        #expect(loaded.settings.routes.map(\.upstream) == ["wiki.example.com", "-.apps.example.com"])
        #expect(try mode(folder + "/master.key") == 0o600)
        #expect(try mode(folder + "/data") == 0o700)
        let before = try String(contentsOfFile: path, encoding: .utf8)
        let failure = #expect(throws: CommandFailure.self) {
            try Commands.initialise(
                invocation, publicURL: "https://other.example.com", administrator: nil, apps: [])
        }
        #expect(failure?.status == .exists)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
    }

    @Test func withoutAppsThereIsOneRouteForChecks() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let invocation = Invocation(configuration: folder + "/gatehouse.yaml", json: true)
        try Commands.initialise(invocation, publicURL: "http://127.0.0.1:8080", administrator: nil, apps: [])
        #expect(try invocation.load(secrets: .read).settings.routes.map(\.upstream) == [nil])
    }

    @Test(arguments: ["auth.example.com", "ftp://auth.example.com", "https://auth.example.com/path", ""])
    func initRefusesWhatIsNoOrigin(url: String) {
        let failure = #expect(throws: CommandFailure.self) {
            try Commands.initialise(
                Invocation(configuration: folder + "/gatehouse.yaml", json: true), publicURL: url,
                administrator: nil, apps: [])
        }
        #expect(failure?.status == .usage)
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func keygenNeverOverwrites() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let invocation = Invocation(configuration: nil, json: true)
        let path = folder + "/master.key"
        try Commands.generateKey(invocation, out: path)
        let key = try String(contentsOfFile: path, encoding: .utf8)
        #expect(Base64.decode(String(key.dropLast()))?.count == 32)
        #expect(throws: CommandFailure.self) { try Commands.generateKey(invocation, out: path) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == key)
    }

    @Test func lesson61_aMissingMasterKeyStopsTheStart() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let invocation = Invocation(configuration: folder + "/gatehouse.yaml", json: true)
        try Commands.initialise(invocation, publicURL: "http://127.0.0.1:8080", administrator: nil, apps: [])
        try FileManager.default.removeItem(atPath: folder + "/master.key")
        #expect(throws: SettingsError.self) { try invocation.context(readingMasterKey: true) }
        // A command that needs no secret goes on working.
        _ = try invocation.context()
    }
}

@Suite struct ExplainedRequestTests {
    @Test(arguments: [
        ("https://wiki.example.com/a/b?c#d", "wiki.example.com", "/a/b"), ("http://h", "h", "/"),
        ("https://h:8443?x", "h:8443", "/"), ("https://h/%61%2f..;x", "h", "/%61%2f..;x"),
    ])
    func readsAsAClientWouldSend(url: String, host: String, path: String) throws {
        let target = try ExplainedRequest(method: "GET", url: url, portalHost: "auth.example.com")
        #expect(target.host == host)
        #expect(target.path == path)
    }

    @Test(arguments: ["", "wiki.example.com/a", "ftp://h/", "https://", "https:///a"])
    func refuses(url: String) {
        #expect(throws: CommandFailure.self) {
            try ExplainedRequest(method: "GET", url: url, portalHost: "auth.example.com")
        }
    }
}
