internal import Glibc

/// Tells systemd how far the server is (sd_notify(3)): datagrams to the socket that `NOTIFY_SOCKET` names. Without
/// that variable, or with one that leads nowhere, nothing happens.
struct ServiceManager: Sendable {
    /// What can be told.
    enum State: Sendable, Equatable {
        /// Requests are answered. After ``reloading(monotonicMicroseconds:)``: with the new configuration, or with the
        /// old one.
        case ready(status: String)
        /// A new configuration is being tried; the time is that of `CLOCK_MONOTONIC`.
        case reloading(monotonicMicroseconds: UInt64)
        case stopping(status: String)

        /// The datagram: a line an assignment. No status begins a new line.
        var message: String {
            switch self {
            case .ready(let status): "READY=1\nSTATUS=\(Self.line(status))\n"
            case .reloading(let time): "RELOADING=1\nMONOTONIC_USEC=\(time)\n"
            case .stopping(let status): "STOPPING=1\nSTATUS=\(Self.line(status))\n"
            }
        }

        private static func line(_ text: String) -> String {
            String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
        }
    }

    /// The bytes of `sun_path`: a file's path, or a name that begins with a zero byte.
    private let address: [UInt8]?

    /// - Parameter variable: the value of `NOTIFY_SOCKET`.
    init(_ variable: String?) {
        address = variable.flatMap(Self.address)
    }

    /// `/run/systemd/notify` as it is, `@name` as the abstract name; nil for anything else (`vsock:…`) and for what is
    /// too long.
    static func address(_ text: String) -> [UInt8]? {
        var bytes = Array(text.utf8)
        guard bytes.count > 1, bytes.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "/"): return bytes
        case UInt8(ascii: "@"):
            bytes[0] = 0
            return bytes
        default: return nil
        }
    }

    func tell(_ state: State) {
        guard let address else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: address) }
        // An abstract name ends where the length says so; a zero after it would be a part of it.
        let length = socklen_t(MemoryLayout<sa_family_t>.size + address.count + (address[0] == 0 ? 0 : 1))
        let message = Array(state.message.utf8)
        withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }

    /// Now, as ``State/reloading(monotonicMicroseconds:)`` wants it.
    static func monotonicMicroseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }
}
