import Core
import Glibc
import NIOPosix

/// A plain socket that blocks: every byte that goes out or comes in is seen. Calls run on NIO's helper threads, so
/// that nothing of Swift's own pool waits.
final class RawClient: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let descriptor: Int32

    init(port: Int) throws {
        guard let descriptor = Sockets.connected(port: port) else { throw Failure(description: "connect: \(errno)") }
        self.descriptor = descriptor
        Sockets.setUp(descriptor)
    }

    init(path: String) throws {
        guard let descriptor = Sockets.connected(path: path) else { throw Failure(description: "connect: \(errno)") }
        self.descriptor = descriptor
        Sockets.setUp(descriptor)
    }

    /// Takes over a connection that was accepted.
    init(takingOwnership descriptor: Int32) {
        self.descriptor = descriptor
        Sockets.setUp(descriptor)
    }

    deinit { close(descriptor) }

    // MARK: Blocking, for the threads of an origin

    func writeNow(_ text: String) { writeNow(Array(text.utf8)) }

    /// - Returns: false when the other side takes no more.
    @discardableResult
    func writeNow(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Some bytes; empty at the end of the stream.
    func readNow(_ maximum: Int = 65_536) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: maximum)
        let count = recv(descriptor, &buffer, maximum, 0)
        if count < 0, errno == ECONNRESET { return [] }
        guard count >= 0 else { throw Failure(description: "recv: \(errno)") }
        return Array(buffer[..<count])
    }

    func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends both directions, so that nobody waits any more.
    func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Makes the coming close a reset.
    func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    // MARK: For tests

    func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    @discardableResult
    func write(_ bytes: [UInt8]) async throws -> Bool {
        try await NIOThreadPool.singleton.runIfActive { self.writeNow(bytes) }
    }

    func read(_ maximum: Int = 65_536) async throws -> [UInt8] {
        try await NIOThreadPool.singleton.runIfActive { try self.readNow(maximum) }
    }

    /// Everything up to the end of the stream.
    func readToEnd() async throws -> String {
        try await NIOThreadPool.singleton.runIfActive {
            var all: [UInt8] = []
            while true {
                let some = try self.readNow()
                if some.isEmpty { return String(decoding: all, as: UTF8.self) }
                all += some
            }
        }
    }

    /// Until what came ends with `end`.
    func read(until end: String) async throws -> String {
        try await NIOThreadPool.singleton.runIfActive { try self.readNow(until: end) }
    }

    func readNow(until end: String) throws -> String {
        var all: [UInt8] = []
        let end = Array(end.utf8)
        while !all.suffix(end.count).elementsEqual(end) {
            let byte = try readNow(1)
            guard !byte.isEmpty else {
                throw Failure(description: "the stream ended after: \(String(decoding: all, as: UTF8.self))")
            }
            all += byte
        }
        return String(decoding: all, as: UTF8.self)
    }

    /// One whole answer to a request whose method was not HEAD.
    func readAnswer(hasBody: Bool = true) async throws -> Answer {
        try await NIOThreadPool.singleton.runIfActive {
            let head = try self.readNow(until: "\r\n\r\n")
            var answer = Answer(head: head)
            guard hasBody, answer.status >= 200, answer.status != 204, answer.status != 304 else { return answer }
            if let length = answer["Content-Length"].flatMap({ Int($0) }) {
                var body: [UInt8] = []
                while body.count < length {
                    let some = try self.readNow(length - body.count)
                    guard !some.isEmpty else { throw Failure(description: "the body ended early: \(body.count)") }
                    body += some
                }
                answer.body = String(decoding: body, as: UTF8.self)
            } else if answer["Transfer-Encoding"] == "chunked" {
                while true {
                    let line = try self.readNow(until: "\r\n")
                    guard let size = Int(line.dropLast(1).filter { $0 != "\r\n" }, radix: 16) else {
                        throw Failure(description: "a bad chunk: \(line)")
                    }
                    if size == 0 { break }
                    var chunk: [UInt8] = []
                    while chunk.count < size + 2 {
                        let some = try self.readNow(size + 2 - chunk.count)
                        guard !some.isEmpty else { throw Failure(description: "the chunk ended early") }
                        chunk += some
                    }
                    answer.body += String(decoding: chunk.dropLast(2), as: UTF8.self)
                }
                var trailer = try self.readNow(until: "\r\n")
                while trailer != "\r\n" {
                    answer.trailers.append(String(trailer.dropLast(1)))
                    trailer = try self.readNow(until: "\r\n")
                }
            } else {
                while case let some = try self.readNow(), !some.isEmpty {
                    answer.body += String(decoding: some, as: UTF8.self)
                }
            }
            return answer
        }
    }
}

/// An answer, or a request as an origin saw it.
struct Answer: Sendable {
    let head: String
    var body = ""
    var trailers: [String] = []

    init(head: String) { self.head = head }

    var lines: [String] { head.split(separator: "\r\n").map(String.init) }
    var status: Int { Int(head.dropFirst(9).prefix(3)) ?? 0 }
    var requestLine: String { lines.first ?? "" }

    /// All values of a header, its name compared without case.
    func all(_ name: String) -> [String] {
        lines.dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name.lowercased() else {
                return nil
            }
            var value = line[line.index(after: colon)...]
            while value.first == " " { value.removeFirst() }
            return String(value)
        }
    }

    subscript(_ name: String) -> String? { all(name).first }
}
