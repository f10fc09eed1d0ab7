import Core
import Glibc

/// A socket on a free port of 127.0.0.1 that gives its first peer one fixed answer, or never answers.
final class LoopbackListener: Sendable {
    struct Failure: Error {}

    let port: UInt16
    private let descriptor: Int32

    init(answer: String?) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard bound else { throw Failure() }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        guard let answer else { return }
        NamedThread.start(name: "listener") {
            let peer = accept(descriptor, nil, nil)
            guard peer >= 0 else { return }
            var request = [UInt8](repeating: 0, count: 4096)
            _ = recv(peer, &request, request.count, 0)
            var answer = answer
            answer.withUTF8 { _ = send(peer, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            Glibc.close(peer)
        }
    }

    func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        Glibc.close(descriptor)
    }
}
