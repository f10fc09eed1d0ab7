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
    private var waiting = WaitingLine<UpstreamAttempt>()
    /// Connections that are being made for all who wait.
    private var dials: [UpstreamDial] = []
    private var isRetired = false

    /// With so many connections a further exchange waits on one of them.
    private static let maximumMembers = 64
    private static let patience = 3
    /// So many are expected to find room on a connection that is being made.
    private static let share = 100

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
    func open(for attempt: UpstreamAttempt, tries: Int = 0) {
        attempt.takeInHand()
        if let connection = roomiest() {
            connection.open { [self] handler in
                if let handler { return settle(attempt, .success(handler)) }
                guard attempt.isWanted, tries < Self.patience else {
                    return settle(attempt, .failure(ChannelError.eof))
                }
                open(for: attempt, tries: tries + 1)
            }
            return
        }
        guard speaksHTTP2 != false else { return dial(for: attempt) }
        waiting.append(attempt)
        attempt.onCancel { [self] in withdraw(attempt) }
        guard waiting.count > dials.count * Self.share else { return }
        if dials.isEmpty || members.count + dials.count < Self.maximumMembers { dialForAll() }
    }

    private func settle(_ attempt: UpstreamAttempt, _ outcome: UpstreamAttempt.Outcome) {
        pool.settle(attempt, endpoint, outcome)
    }

    /// Its exchange is over. Connections that are wanted by nobody else are not made any further.
    private func withdraw(_ attempt: UpstreamAttempt) {
        waiting.remove(attempt)
        while (dials.count - 1) * Self.share >= waiting.count, let dial = dials.popLast() { dial.cancel() }
        settle(attempt, .failure(CancellationError()))
    }

    private func roomiest() -> UpstreamConnection? {
        let open = members.filter(\.isOpen)
        let isFull = open.count >= Self.maximumMembers
        return open.filter { isFull || $0.hasRoom }.min { $0.streams < $1.streams }
    }

    // MARK: Making connections

    /// What a connection turned out to be.
    private enum Dialled {
        case http2(UpstreamConnection)
        case plain(UpstreamHandler)
    }

    /// For whoever waits then.
    private func dialForAll() {
        var dialled: Dialled?
        let dial = pool.dial(endpoint) { [self] channel, negotiated in
            dialled = try install(on: channel, negotiated)
        } then: { [self] dial, result in
            guard let place = dials.firstIndex(where: { $0 === dial }) else { return }
            dials.remove(at: place)
            switch result {
            case .failure(let error):
                for attempt in takeWaiting() { settle(attempt, .failure(error)) }
            case .success: if let dialled { hand(dialled) }
            }
        }
        dials.append(dial)
    }

    /// The server is known to want a connection for each.
    private func dial(for attempt: UpstreamAttempt) {
        var dialled: Dialled?
        let dial = pool.dial(endpoint) { [self] channel, negotiated in
            dialled = try install(on: channel, negotiated)
        } then: { [self] _, result in
            switch (result, dialled) {
            case (.failure(let error), _): settle(attempt, .failure(error))
            case (.success, .plain(let handler)?): settle(attempt, .success(handler))
            case (.success, .http2(let connection)?):
                join(connection)
                open(for: attempt)
                if isRetired { connection.drain() }
            case (.success, nil): settle(attempt, .failure(ChannelError.eof))
            }
        }
        dial.takeIdle = { [self] idle in settle(attempt, .success(idle)) }
        attempt.onCancel { dial.cancel() }
    }

    private func install(on channel: any Channel, _ negotiated: String?) throws -> Dialled {
        guard hasPriorKnowledge || negotiated == "h2" else {
            let handler = UpstreamHandler(loop: loop, pool: pool, endpoint: endpoint)
            try channel.pipeline.syncOperations.addHandler(handler)
            return .plain(handler)
        }
        let connection = UpstreamConnection(loop: loop, server: self, scheme: scheme)
        try connection.install(on: channel)
        return .http2(connection)
    }

    private func join(_ connection: UpstreamConnection) {
        speaksHTTP2 = true
        members.append(connection)
    }

    /// To those who wait.
    private func hand(_ dialled: Dialled) {
        switch dialled {
        case .http2(let connection):
            join(connection)
            for attempt in takeWaiting() { open(for: attempt) }
            if isRetired { connection.drain() }
        case .plain(let handler):
            speaksHTTP2 = false
            let others = takeWaiting()
            if let first = others.first { settle(first, .success(handler)) } else { handler.close() }
            for attempt in others.dropFirst() { open(for: attempt) }
        }
    }

    private func takeWaiting() -> [UpstreamAttempt] {
        let all = waiting.removeAll()
        for attempt in all { attempt.takeInHand() }
        return all
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
