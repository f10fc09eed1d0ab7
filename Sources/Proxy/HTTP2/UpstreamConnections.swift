import NIOCore

/// The HTTP/2 connections of one loop to one server: an exchange gets a stream of the one that has the fewest, and a
/// further connection is made when all have as many as the server allows.
///
/// ```
///  open ─┬─ a connection with room ─► stream
///        ├─ one is being made ─► wait for it ─┬─ HTTP/2 ─► stream
///        └─ none ─► make one ─────────────────┴─ HTTP/1.1 ─► a connection each
/// ```
final class UpstreamConnections {
    typealias Opened = (Result<UpstreamHandler, any Error>) -> Void

    private unowned let loop: ProxyLoop
    let pool: UpstreamPool
    let endpoint: Int
    let keepAlive: Int64
    private let scheme: String
    /// The server is known to speak HTTP/2, without being asked (RFC 9113 section 3.3).
    private let hasPriorKnowledge: Bool
    /// What the server chose the last time; nil: nobody has asked yet.
    private var speaksHTTP2: Bool?
    private var members: [UpstreamConnection] = []
    /// They wait for a connection that is being made.
    private var waiting: [Opened] = []
    private var dialling = 0
    private var isRetired = false

    /// With so many connections a further exchange waits on one of them.
    private static let maximumMembers = 64
    private static let patience = 3

    init(loop: ProxyLoop, pool: UpstreamPool, endpoint: Int, hasPriorKnowledge: Bool, keepAlive: Int64) {
        self.loop = loop
        self.pool = pool
        self.endpoint = endpoint
        self.hasPriorKnowledge = hasPriorKnowledge
        self.keepAlive = keepAlive
        scheme = hasPriorKnowledge ? "http" : "https"
    }

    /// Connections without and with streams, and all streams.
    var counts: (idle: Int, busy: Int, streams: Int) {
        members.reduce((0, 0, 0)) { counts, member in
            (
                counts.0 + (member.streams == 0 ? 1 : 0), counts.1 + (member.streams > 0 ? 1 : 0),
                counts.2 + member.streams
            )
        }
    }

    /// Something that one exchange can be sent on: a stream, or a connection of HTTP/1.1 where the server wants that.
    func open(attempt: Int = 0, _ then: @escaping Opened) {
        if let connection = roomiest() {
            connection.open { [self] handler in
                if let handler { return then(.success(handler)) }
                guard attempt < Self.patience else { return then(.failure(ChannelError.eof)) }
                open(attempt: attempt + 1, then)
            }
            return
        }
        guard speaksHTTP2 != false else { return dial(for: then) }
        waiting.append(then)
        if waiting.count > dialling * 100 { dial(for: nil) }
    }

    private func roomiest() -> UpstreamConnection? {
        let open = members.filter(\.isOpen)
        let isFull = open.count >= Self.maximumMembers
        return open.filter { isFull || $0.hasRoom }.min { $0.streams < $1.streams }
    }

    // MARK: Making connections

    /// What a connection turned out to be.
    private final class Dialled {
        var plain: UpstreamHandler?
        var http2: UpstreamConnection?
    }

    /// - Parameter requester: who gets it; nil: whoever waits.
    private func dial(for requester: Opened?) {
        if requester == nil { dialling += 1 }
        let dialled = Dialled()
        let future = pool.dial(endpoint) { [self] channel, negotiated in
            if hasPriorKnowledge || negotiated == "h2" {
                let connection = UpstreamConnection(loop: loop, server: self, scheme: scheme)
                dialled.http2 = connection
                try connection.install(on: channel)
            } else {
                let handler = UpstreamHandler(loop: loop, pool: pool, endpoint: endpoint)
                dialled.plain = handler
                try channel.pipeline.syncOperations.addHandler(handler)
            }
        }
        future.assumeIsolated().whenComplete { [self] result in
            if requester == nil { dialling -= 1 }
            switch result {
            case .failure(let error): failed(error, requester)
            case .success: succeeded(dialled, requester)
            }
        }
    }

    private func failed(_ error: any Error, _ requester: Opened?) {
        if let requester { return requester(.failure(error)) }
        for then in takeWaiting() { then(.failure(error)) }
    }

    private func succeeded(_ dialled: Dialled, _ requester: Opened?) {
        if let connection = dialled.http2 {
            speaksHTTP2 = true
            members.append(connection)
            for then in requester.map({ [$0] }) ?? takeWaiting() { open(then) }
            if isRetired { connection.drain() }
        } else if let handler = dialled.plain {
            speaksHTTP2 = false
            if let requester { return requester(.success(handler)) }
            let others = takeWaiting()
            others.first.map { $0(.success(handler)) } ?? handler.close()
            for then in others.dropFirst() { open(then) }
        }
    }

    private func takeWaiting() -> [Opened] {
        defer { waiting = [] }
        return waiting
    }

    // MARK: Letting connections go

    func remove(_ connection: UpstreamConnection) {
        members.removeAll { $0 === connection }
    }

    /// Closes what nobody has wanted for too long.
    func sweep(_ now: Int64) {
        for member in members where member.streams == 0 && member.idleUntil <= now { member.close() }
    }

    /// Streams under way may end, nothing else begins.
    func retire() {
        isRetired = true
        for member in members { member.drain() }
    }
}
