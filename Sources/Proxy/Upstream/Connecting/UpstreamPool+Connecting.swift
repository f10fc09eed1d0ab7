import Core
import NIOCore

/// How connections come to be.
extension UpstreamPool {
    /// Finishes `attempt` with a new connection, or a stream of one, which counts as used from now on.
    ///
    /// - Parameter forTunnel: it will not come back and may be idle for long: its buffers are small.
    func connect(_ endpoint: Int, for attempt: UpstreamAttempt, forTunnel: Bool = false) {
        let server = endpoints[endpoint].server
        guard server.socketAddress != nil else { return awaitAddress(of: server, for: attempt) }
        count(endpoint, 1)
        if !forTunnel, let http2 = http2(of: endpoint) { return http2.open(for: attempt) }
        let handler = UpstreamHandler(loop: loop, pool: self, endpoint: endpoint)
        let dial = dial(endpoint, forTunnel: forTunnel) { channel, _ in
            try channel.pipeline.syncOperations.addHandler(handler)
        } then: { [self] _, result in
            settle(attempt, endpoint, result.map { handler })
        }
        attempt.onCancel { dial.cancel() }
        // What may become a tunnel gets a connection of its own.
        guard !forTunnel else { return }
        dial.takeIdle = { [self] idle in settle(attempt, endpoint, .success(idle)) }
    }

    /// What `connect` has counted comes here once, and only here.
    func settle(_ attempt: UpstreamAttempt, _ endpoint: Int, _ outcome: UpstreamAttempt.Outcome) {
        switch outcome {
        case .success(let handler):
            guard attempt.isWanted else { return giveBack(handler, reusable: true) }
        case .failure(let error):
            count(endpoint, -1)
            // That nobody wants it any more says nothing about the server.
            guard attempt.isWanted else { return }
            let kind = UpstreamFailure(connecting: error)
            blame(endpoint, kind)
            if kind != .noDescriptor { servers.doubtAddresses(loop.ticks) }
        }
        attempt.finish(outcome)
    }

    /// Nil where only HTTP/1.1 is spoken.
    private func http2(of endpoint: Int) -> UpstreamConnections? {
        if let http2 = endpoints[endpoint].http2 { return http2 }
        let hasPriorKnowledge: Bool
        switch endpoints[endpoint].server.address {
        case .tcp, .unix: return nil
        case .h2c: hasPriorKnowledge = true
        case .tls: hasPriorKnowledge = false
        }
        let http2 = UpstreamConnections(
            loop: loop, pool: self, endpoint: endpoint, hasPriorKnowledge: hasPriorKnowledge, keepAlive: keepAlive)
        if isRetired || endpoints[endpoint].isGone { http2.retire() } else { endpoints[endpoint].http2 = http2 }
        return http2
    }

    // MARK: Turns

    /// A connection to a server, as soon as it is its turn.
    ///
    /// - Parameters:
    ///   - install: puts the handlers into the channel, given the protocol that TLS has agreed on.
    ///   - then: told once, when they are in their place and the connection is there, or why that will not be.
    func dial(
        _ endpoint: Int, forTunnel: Bool = false, install: @escaping UpstreamDial.Install,
        then: @escaping (UpstreamDial, Result<Void, any Error>) -> Void
    ) -> UpstreamDial {
        let dial = UpstreamDial(
            to: endpoints[endpoint].server, of: self, on: loop, forTunnel: forTunnel, install: install,
            ended: { [self] dial, hadTurn in
                endpoints[endpoint].dials.leave(dial, hadTurn: hadTurn)
                startDials(endpoint)
            }, then: then)
        let isItsTurn = endpoints[endpoint].dials.isOpen
        let begins = isItsTurn && loop.takeUpstreamPlace()
        dial.waitsForPlace = isItsTurn && !begins
        endpoints[endpoint].dials.enter(dial, begins: begins)
        if begins { dial.begin() } else { dial.queue() }
        return dial
    }

    /// Has those begin whose turn it is.
    func startDials(_ endpoint: Int) {
        guard !endpoints[endpoint].dials.isEmpty, endpoints[endpoint].dials.takeStart() else { return }
        while endpoints[endpoint].dials.hasNext {
            guard loop.takeUpstreamPlace() else {
                endpoints[endpoint].dials.first { _ in true }?.waitsForPlace = true
                break
            }
            endpoints[endpoint].dials.next()?.begin()
        }
        endpoints[endpoint].dials.endStart()
    }

    /// Somebody waits for a turn or a place.
    var hasWaitingDials: Bool { endpoints.contains { !$0.dials.isEmpty } }

    /// For a pool that is not swept any more.
    func startAllDials() {
        for index in endpoints.indices { startDials(index) }
    }

    /// Gives connections that have become free to those who wait for their turn to make one.
    func serveQueue(_ endpoint: Int) {
        while let dial = endpoints[endpoint].dials.first(where: { $0.takeIdle != nil }) {
            guard let handler = endpoints[endpoint].idle.popLast() else { return }
            // The exchange was counted when it came.
            if handler.isUsable { dial.serve(handler) }
        }
    }

    // MARK: Names

    /// Waits for names to be looked up, as long as a connection may take; no longer than that ago counts as well.
    ///
    /// - Parameter failure: what `attempt` ends with when there may be an address, which has another number then.
    /// - Returns: false when there is nothing to wait for; `attempt` goes on then.
    func awaitNames(for attempt: UpstreamAttempt, failure: @escaping () -> any Error) -> Bool {
        let turn = NIOLoopBoundBox<(() -> Void)?>(
            { attempt.finish(.failure(failure())) }, eventLoop: loop.eventLoop)
        let eventLoop = loop.eventLoop
        @Sendable func proceed() {
            let next = turn.value
            turn.value = nil
            next?()
        }
        guard servers.waitForNames(loop.ticks, { eventLoop.execute { proceed() } }) else { return false }
        let deadline = eventLoop.scheduleTask(in: .milliseconds(description.connectTimeout.wholeMilliseconds)) {
            proceed()
        }
        attempt.onCancel {
            turn.value = nil
            deadline.cancel()
        }
        return true
    }

    /// No address is known: the failure comes once there may be one.
    private func awaitAddress(of server: UpstreamServer, for attempt: UpstreamAttempt) {
        let host = server.address.name ?? server.address.text
        let servers = servers
        func failure() -> any Error {
            UnresolvedHost(host: host, problem: servers.problem(of: host) ?? "there is no answer yet")
        }
        guard !awaitNames(for: attempt, failure: failure) else { return }
        loop.eventLoop.assumeIsolated().execute { attempt.finish(.failure(failure())) }
    }
}
