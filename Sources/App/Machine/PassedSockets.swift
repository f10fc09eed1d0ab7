internal import Glibc

/// Sockets that the service manager opened before it started us (sd_listen_fds(3)): they outlive this process, so
/// connections wait in them while one server ends and the next begins.
struct PassedSockets: Sendable, Equatable {
    /// The first one; the others follow without a gap.
    static let firstDescriptor: Int32 = 3
    /// More are a mistake.
    private static let maximum: Int32 = 1024

    /// The descriptors by name; a name may stand for several, as two `ListenStream=` lines of one unit do.
    private(set) var descriptors: [String: [Int32]] = [:]

    /// None.
    init() {}

    /// - Parameters:
    ///   - pid: `LISTEN_PID`; sockets that were passed to another process are not ours.
    ///   - count: `LISTEN_FDS`.
    ///   - names: `LISTEN_FDNAMES`, with `:` between them; without it each socket is called `unknown`.
    ///   - own: this process.
    init(pid: String?, count: String?, names: String?, own: Int32) {
        guard let pid = pid.flatMap(Int32.init), pid == own, let count = count.flatMap(Int32.init),
            (1...Self.maximum).contains(count)
        else { return }
        let names = names?.split(separator: ":", omittingEmptySubsequences: false).map(String.init) ?? []
        for index in 0..<count {
            let place = Int(index)
            let name = names.indices.contains(place) && !names[place].isEmpty ? names[place] : "unknown"
            descriptors[name, default: []].append(Self.firstDescriptor + index)
        }
    }

    /// Those of this process. The variables are taken away, so that nobody that we start believes them.
    static func take() -> PassedSockets {
        let sockets = PassedSockets(
            pid: ProcessEnvironment.value(of: "LISTEN_PID"), count: ProcessEnvironment.value(of: "LISTEN_FDS"),
            names: ProcessEnvironment.value(of: "LISTEN_FDNAMES"), own: getpid())
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        for descriptor in sockets.descriptors.values.joined() { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return sockets
    }

    /// The listening stream sockets called `name`.
    ///
    /// - Throws: when there are none, or one is something else.
    func listening(_ name: String) throws(CommandFailure) -> [Int32] {
        guard let found = descriptors[name] else {
            let passed =
                descriptors.isEmpty ? "none was passed" : "passed: " + descriptors.keys.sorted().joined(separator: ", ")
            throw CommandFailure(
                .failed, "there is no socket \(name) (FileDescriptorName= of a systemd socket unit); \(passed)")
        }
        for descriptor in found {
            guard Self.option(SO_ACCEPTCONN, of: descriptor) == 1,
                Self.option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue)
            else {
                throw CommandFailure(
                    .failed, "the socket \(name) is not one that listens for connections; its unit needs Accept=no")
            }
        }
        return found
    }

    private static func option(_ option: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, option, &value, &size) == 0 ? value : nil
    }
}
