import Core
import Glibc
import Synchronization

/// An app's server under the control of a test: every connection is served by a script on a thread of its own.
final class Origin: Sendable {
    typealias Script = @Sendable (_ connection: RawClient, _ number: Int) throws -> Void

    let port: Int
    private let descriptor: Int32
    private let heads = Mutex<[Answer]>([])
    private let accepted = Mutex(0)

    /// The requests as they came.
    var requests: [Answer] { heads.withLock { $0 } }
    var connections: Int { accepted.withLock { $0 } }

    /// - Parameter script: gets the connection and how many came before it.
    init(_ script: @escaping Script) {
        (descriptor, port) = Sockets.listening()
        let listening = descriptor
        NamedThread.start(name: "origin") { [weak self] in
            while true {
                let connection = accept(listening, nil, nil)
                guard connection >= 0, let self else { return }
                let number = self.accepted.withLock { count in
                    defer { count += 1 }
                    return count
                }
                let client = RawClient(takingOwnership: connection)
                NamedThread.start(name: "origin") { try? script(client, number) }
            }
        }
    }

    /// Serves every request of every connection with the same answer.
    static func answering(_ answer: String = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> Origin {
        let box = Box()
        let origin = Origin { connection, _ in
            while let origin = box.origin.withLock({ $0 }) {
                _ = try origin.readRequest(connection)
                connection.writeNow(answer)
            }
        }
        box.origin.withLock { $0 = origin }
        return origin
    }

    private final class Box: Sendable {
        let origin = Mutex<Origin?>(nil)
    }

    func remember(_ request: Answer) { heads.withLock { $0.append(request) } }

    /// Reads a head and a body of known length, and remembers it.
    @discardableResult
    func readRequest(_ connection: RawClient) throws -> Answer {
        var request = try Self.readRequest(connection)
        if let length = request["Content-Length"].flatMap({ Int($0) }) {
            var body: [UInt8] = []
            while body.count < length {
                let some = try connection.readNow(length - body.count)
                if some.isEmpty { break }
                body += some
            }
            request.body = String(decoding: body, as: UTF8.self)
        }
        remember(request)
        return request
    }

    static func readRequest(_ connection: RawClient) throws -> Answer {
        Answer(head: try connection.readNow(until: "\r\n\r\n"))
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}
