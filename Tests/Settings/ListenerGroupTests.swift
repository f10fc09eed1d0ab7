import Settings
import Testing

@Suite struct ListenerGroupTests {
    private func load(_ secrets: Settings.SecretUse, groupExists: ((String) -> Bool)?) throws -> Settings {
        let listen = "listen: [ { address: \"unix:s\", unix: { group: proxies } } ]"
        let files = GoldenFiles(folder: "/nonexistent", texts: ["gatehouse.yaml": (minimal(listen), 0o644)])
        return try Settings.load(
            "gatehouse.yaml", environment: { _ in nil }, files: files, secrets: secrets, groupExists: groupExists
        ).settings
    }

    @Test func aGroupThatTheMachineDoesNotHaveStopsTheStart() throws {
        let error = #expect(throws: SettingsError.self) { try load(.read) { $0 == "other" } }
        #expect(error?.problems.map(\.path) == ["listen[0].unix.group"])
        #expect(try load(.read) { $0 == "proxies" }.listeners.map(\.unixGroup) == ["proxies"])
    }

    @Test func whoDoesNotListenDoesNotAsk() throws {
        #expect(try load(.leave) { _ in false }.listeners.map(\.unixGroup) == ["proxies"])
        #expect(try load(.read, groupExists: nil).listeners.map(\.unixGroup) == ["proxies"])
    }
}
