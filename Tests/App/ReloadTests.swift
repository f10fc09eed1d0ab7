import Accounts
import Foundation
import Glibc
import Synchronization
import Testing

@testable import App

@Suite struct ServiceManagerTests {
    @Test func messagesAreAssignments() {
        #expect(ServiceManager.State.ready(status: "2 routes").message == "READY=1\nSTATUS=2 routes\n")
        #expect(
            ServiceManager.State.reloading(monotonicMicroseconds: 42).message == "RELOADING=1\nMONOTONIC_USEC=42\n")
        #expect(ServiceManager.State.stopping(status: "a\nMAINPID=1").message == "STOPPING=1\nSTATUS=a MAINPID=1\n")
    }

    @Test func addresses() {
        #expect(ServiceManager.address("/run/systemd/notify") == Array("/run/systemd/notify".utf8))
        #expect(ServiceManager.address("@gate") == [0] + Array("gate".utf8))
        for bad in ["", "@", "/", "relative", "vsock:2:1234", "/" + String(repeating: "a", count: 108)] {
            #expect(ServiceManager.address(bad) == nil, "\(bad)")
        }
        // Says nothing to nobody.
        ServiceManager(nil).tell(.ready(status: ""))
        ServiceManager("/nonexistent/socket").tell(.ready(status: ""))
    }
}

@Suite struct PassedSocketsTests {
    private func passed(_ pid: String?, _ count: String?, _ names: String?) -> [String: [Int32]] {
        PassedSockets(pid: pid, count: count, names: names, own: 77).descriptors
    }

    @Test func namesStandForDescriptorsInOrder() {
        #expect(passed("77", "3", "http:check:http") == ["http": [3, 5], "check": [4]])
        #expect(passed("77", "2", nil) == ["unknown": [3, 4]])
        #expect(passed("77", "2", "http") == ["http": [3], "unknown": [4]])
        #expect(passed("77", "1", "") == ["unknown": [3]])
    }

    @Test(
        arguments: [
            (nil, "1"), ("78", "1"), ("77", nil), ("77", "0"), ("77", "-1"), ("77", "1000000000000"), ("77", "x"),
            ("", ""),
            ("77", "2147483647"),
        ] as [(String?, String?)])
    func whatIsNotOursIsNothing(pid: String?, count: String?) {
        #expect(passed(pid, count, "http") == [:])
    }

    @Test func onlyWhatListensIsTaken() throws {
        let pair = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(pair) }
        #expect(throws: CommandFailure.self) { try PassedSockets().listening("http") }
        // Descriptor 3 of a test process is anything but a listener of that name.
        let sockets = PassedSockets(pid: "77", count: "1024", names: nil, own: 77)
        #expect(throws: CommandFailure.self) { try sockets.listening("unknown") }
    }
}

@Suite struct ReloadTests {
    @Test func onlyAReloadByTheCommandLineIsUnderstood() {
        func actor(_ text: String) -> String? { ControlSocket.question(Array(text.utf8))?.1.name }
        #expect(actor(#"{"command":"reload","actor":"cli:root"}"#) == "cli:root")
        for bad in [
            "", "reload", "{}", #"{"command":"stop","actor":"cli:root"}"#, #"{"command":"reload","actor":"system"}"#,
            #"{"command":"reload","actor":"cli:a\nb"}"#, #"{"command":"reload"}"#,
            #"{"command":"master-key","actor":"cli:root"}"#, #"{"command":"reload","actor":"cli:root","key":"x"}"#,
        ] {
            #expect(actor(bad) == nil, "\(bad)")
        }
    }

    @Test func theControlSocketAnswersInAnyFolder() async throws {
        // Longer than a socket's address may be.
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "gatehouse-\(UUID())/" + String(repeating: "long/", count: 20)).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func ask(_ command: String) throws -> ReloadReport {
            try ControlSocket.ask(folder: folder, .init(command: command, actor: "cli:me"))
        }
        func handOver(_ key: String) throws -> ControlSocket.Handover? {
            try ControlSocket.askIfThere(folder: folder, .init(command: "master-key", actor: "cli:me", key: key))
        }
        #expect(throws: CommandFailure.self) { try ask("reload") }
        #expect(try handOver("good") == nil)
        let socket = try ControlSocket.listen(
            in: folder,
            .init(
                reload: { ReloadReport(reloaded: true, configuration: $0.actor.name) },
                adopt: { if $0 != "good" { throw AccountsError(.wrongMasterKey, "not ours") } }))
        let path = folder + "/" + ControlSocket.name
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try ask("reload") == ReloadReport(reloaded: true, configuration: "cli:me"))
        #expect(throws: CommandFailure.self) { try ask("stop") }
        // Asked and not answered is not the same as nobody there.
        #expect {
            let question = ControlSocket.Question(command: "stop", actor: "cli:me")
            let _: ControlSocket.Handover? = try ControlSocket.askIfThere(
                folder: folder, question, unanswered: "keep it")
        } throws: {
            "\($0)".contains("gave no answer: keep it")
        }
        #expect(ControlSocket.isAnswered(in: folder))
        let taken = try #require(try handOver("good"))
        #expect(taken.error == nil)
        #expect(try handOver("bad")?.error == "not ours")
        socket.close()
        #expect(!FileManager.default.fileExists(atPath: path) && !ControlSocket.isAnswered(in: folder))
        #expect(throws: CommandFailure.self) { try ask("reload") }
    }

    @Test func reloadsTakeTurnsAndAreAnsweredToTheEnd() async {
        let running = Running()
        let reloader = Reloader { _ in
            running.change(by: 1)
            await Task.yield()
            running.change(by: -1)
            return ReloadReport(reloaded: true, configuration: "")
        }
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { await reloader.reload(.signal).reloaded } }
            for await reloaded in group { #expect(reloaded) }
        }
        #expect(running.most == 1)
        reloader.finish()
        await reloader.end()
        #expect(await reloader.reload(.signal) == .stopping)
    }

    @Test func anEditorsFileInAFolderIsNoChange() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "gatehouse-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/a.yaml"
        try "a".write(toFile: file, atomically: false, encoding: .utf8)
        func stamps() -> [String: FileStamp] { [folder: FileStamp(folder), file: FileStamp(file)] }
        let before = stamps()
        #expect(FileStamp.filesAreTheSame(before, stamps()))
        try "b".write(toFile: folder + "/.a.yaml.swp", atomically: false, encoding: .utf8)
        #expect(FileStamp.filesAreTheSame(before, stamps()))
        try "ab".write(toFile: file, atomically: false, encoding: .utf8)
        #expect(!FileStamp.filesAreTheSame(before, stamps()))
        #expect(!FileStamp.filesAreTheSame(before, [folder: FileStamp(folder)]))
    }

    @Test func aFileIsReadWhenItHasStayedTheSame() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "gatehouse-\(UUID())").path
        let files = WatchedFiles()
        #expect(throws: (any Error).self) { try files.read(path, maximumBytes: 10) }
        let known = files.stamps
        #expect(Array(known.keys) == [path])
        var watch = ChangeWatch()
        func look() -> Bool { watch.look(known: known, current: [path: FileStamp(path)]) }
        #expect(!look())
        try "a".write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(!look())
        try "ab".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(!look())
        #expect(look())
        let again = [path: FileStamp(path)]
        let isDueAgain = watch.look(known: again, current: again)
        #expect(!isDueAgain)
    }
}

private final class Running: Sendable {
    private let state = Mutex((now: 0, most: 0))
    var most: Int { state.withLock { $0.most } }

    func change(by amount: Int) {
        state.withLock { state in
            state.now += amount
            state.most = max(state.most, state.now)
        }
    }
}
