internal import Accounts
internal import Core
internal import FoundationEssentials
internal import Glibc

/// How `gatehouse reload` and `gatehouse master-key rotate` reach the running server: a unix socket in the data folder,
/// which only the folder's owner can open. One question a connection, one answer, a line of JSON each. A process id or a
/// signal could ask as well, but neither would bring an answer back.
final class ControlSocket: Sendable {
    /// The question.
    struct Question: Codable, Sendable {
        var command: String
        /// Who asks, for the audit log.
        var actor: String
        /// Of `master-key`: the new one, sealed under one that the server has.
        var key: String?
    }

    /// What came of handing a master key over.
    struct Handover: Codable, Sendable {
        /// Nil: the server seals under the key from now on.
        var error: String?
    }

    /// What the server does about each question.
    struct Answers: Sendable {
        var reload: @Sendable (ReloadCause) async -> ReloadReport
        /// - Throws: why the key was not taken.
        var adopt: @Sendable (String) throws -> Void
    }

    /// The name in the data folder.
    static let name = "control.sock"
    private static let longestLine = 64 << 10

    private let descriptor: Int32
    private let path: String
    private let inode: UInt64

    private init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
        inode = Self.inode(path)
    }

    /// Answers until ``close()``, one after the other.
    static func listen(
        in folder: String, _ answers: Answers
    ) throws(CommandFailure) -> ControlSocket {
        let descriptor = try open()
        let path = folder + "/" + name
        // The newest server of a folder has the name; one that ends leaves the name of another alone.
        unlink(path)
        // The mode of the socket is the mode of its file from the first moment on.
        let isBound = fchmod(descriptor, 0o600) == 0 && withAddress(in: folder) { bind(descriptor, $0, $1) } == 0
        guard isBound, Glibc.listen(descriptor, 16) == 0 else {
            let failure = CommandFailure(.failed, "cannot listen on \(path): \(String(cString: strerror(errno)))")
            Glibc.close(descriptor)
            throw failure
        }
        let control = ControlSocket(descriptor: descriptor, path: path)
        NamedThread.start(name: "gh-control") { control.serve(answers) }
        return control
    }

    /// Somebody answers there.
    static func isAnswered(in folder: String) -> Bool {
        guard let descriptor = try? open() else { return false }
        defer { Glibc.close(descriptor) }
        return withAddress(in: folder) { connect(descriptor, $0, $1) } == 0
    }

    /// Whether the name still leads here, and not to another server's socket or nowhere.
    var hasName: Bool { Self.inode(path) == inode }

    /// A server has been started on the folder and not ended in order since.
    static func isThere(in folder: String) -> Bool { inode(folder + "/" + name) != 0 }

    /// Answers nobody any more.
    func close() {
        if hasName { unlink(path) }
        // Wakes the thread, which closes it.
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Asks the server of a data folder.
    ///
    /// - Throws: when none is there, or it gives no answer.
    static func ask<Answer: Decodable>(folder: String, _ question: Question) throws -> Answer {
        guard let answer: Answer = try askIfThere(folder: folder, question) else {
            // A server that runs with another data folder than the configuration has by now cannot be found.
            throw CommandFailure(.failed, "no server runs on \(folder) (a data_dir that was changed needs a restart)")
        }
        return answer
    }

    /// As ``ask(folder:_:)``; nil when no server is there.
    ///
    /// - Parameter unanswered: what is to be done when it was asked and gave no answer, or none in time.
    static func askIfThere<Answer: Decodable>(
        folder: String, _ question: Question, unanswered: String? = nil
    ) throws -> Answer? {
        let descriptor = try open()
        defer { Glibc.close(descriptor) }
        // Longer than a reload takes that waits for issuers which do not answer, and for others before it.
        patience(120, with: descriptor)
        guard withAddress(in: folder, { connect(descriptor, $0, $1) }) == 0 else {
            switch errno {
            case ENOENT, ECONNREFUSED: return nil
            default:
                throw CommandFailure(
                    .failed, "cannot ask the server of \(folder): \(String(cString: strerror(errno)))")
            }
        }
        let line = try Output.encode(question) + "\n"
        guard write(line, to: descriptor), let answer = readLine(from: descriptor, atMost: 1 << 20),
            let report = try? JSONDecoder().decode(Answer.self, from: Data(answer))
        else {
            let more = unanswered.map { ": \($0)" } ?? ""
            throw CommandFailure(.failed, "the server of \(folder) ended before it answered, or gave no answer\(more)")
        }
        return report
    }

    // MARK: The server's side

    private func serve(_ answers: Answers) {
        while true {
            let client = accept(descriptor, nil, nil)
            if client < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                if errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS {
                    usleep(100_000)
                    continue
                }
                break
            }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            Self.patience(5, with: client)
            guard let line = Self.readLine(from: client, atMost: Self.longestLine),
                let (question, actor) = Self.question(line)
            else {
                Glibc.close(client)
                continue
            }
            if let key = question.key {
                Self.answer(Self.handover { try answers.adopt(key) }, to: client)
                continue
            }
            // The next question is read at once; the answers come in turn.
            Task {
                Self.answer(await answers.reload(.command(actor)), to: client)
            }
        }
        Glibc.close(descriptor)
    }

    private static func answer(_ answer: some Encodable, to client: Int32) {
        if let text = try? Output.encode(answer) { _ = write(text + "\n", to: client) }
        Glibc.close(client)
    }

    private static func handover(_ adopt: () throws -> Void) -> Handover {
        do {
            try adopt()
            return Handover(error: nil)
        } catch let error as AccountsError {
            return Handover(error: error.message)
        } catch {
            return Handover(error: "the server could not take the key")
        }
    }

    /// What is asked and by whom; nil for what is no question.
    static func question(_ line: [UInt8]) -> (Question, AuditActor)? {
        guard let question = try? JSONDecoder().decode(Question.self, from: Data(line)),
            question.command == "reload" && question.key == nil
                || question.command == "master-key" && question.key != nil,
            question.actor.hasPrefix("cli:"), question.actor.utf8.count <= 128,
            question.actor.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f })
        else { return nil }
        return (question, AuditActor(question.actor))
    }

    // MARK: Bytes

    /// How long a read or a write may take.
    private static func patience(_ seconds: Int, with descriptor: Int32) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    private static func open() throws(CommandFailure) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            throw CommandFailure(.failed, "cannot make a socket: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    /// A socket's address holds 107 bytes, which the path of a data folder may exceed: the folder is opened, and the
    /// path begins at its descriptor.
    private static func withAddress(
        in folder: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        let directory = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return -1 }
        defer {
            let code = errno
            Glibc.close(directory)
            errno = code
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) {
            $0.copyBytes(from: "/proc/self/fd/\(directory)/\(name)".utf8)
        }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func inode(_ path: String) -> UInt64 {
        var status = stat()
        return lstat(path, &status) == 0 ? UInt64(status.st_ino) : 0
    }

    private static func readLine(from descriptor: Int32, atMost limit: Int) -> [UInt8]? {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while line.count < limit {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            if let end = buffer[..<count].firstIndex(of: UInt8(ascii: "\n")) { return line + buffer[..<end] }
            line += buffer[..<count]
        }
        return nil
    }

    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
