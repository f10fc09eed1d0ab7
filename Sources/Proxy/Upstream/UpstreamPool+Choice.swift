import Core
import Logging

/// Which server a request goes to, and what is learnt of it.
extension UpstreamPool {
    // MARK: Which servers there are

    func takeServers() {
        let current = servers.current
        version = current.version
        // Only what was free before this: a lease that waited for other addresses has the old ones in its mask.
        var free = endpoints.indices.filter { endpoints[$0].isGone && isUnused($0) }
        for index in endpoints.indices where !current.servers.contains(where: { $0 === endpoints[index].server }) {
            endpoints[index].isGone = true
            discardConnections(index)
        }
        live = current.servers.map { server in
            if let known = endpoints.firstIndex(where: { $0.server === server && !$0.isGone }) { return known }
            let made = UpstreamEndpoint(
                server: server, authority: server.address.authority, isSuspect: server.isSuspect)
            guard let place = free.popLast() else {
                endpoints.append(made)
                return endpoints.count - 1
            }
            endpoints[place] = made
            return place
        }
        for index in endpoints.indices where live.count > 1 || endpoints[index].published != 0 { publish(index) }
    }

    private func isUnused(_ index: Int) -> Bool {
        endpoints[index].active == 0 && endpoints[index].dials.isUnused && endpoints[index].published == 0
            && endpoints[index].idle.isEmpty
    }

    func discardConnections(_ index: Int) {
        let idle = endpoints[index].idle
        endpoints[index].idle = []
        for handler in idle { handler.discard() }
        endpoints[index].http2?.retire()
        endpoints[index].http2 = nil
    }

    // MARK: The choice

    /// The server with the fewest exchanges of all loops, in turn among equals; one that is passed over only when it is
    /// due to be tried or there is no other, and one that fails its checks never.
    func choose(notIn tried: UInt64) -> Int? {
        if isPlain { return tried & 1 == 0 ? 0 : nil }
        if servers.hasChanged(since: version) { takeServers() }
        guard live.count == 1, let only = live.first else { return chooseAmongAll(notIn: tried) }
        guard tried >> UInt64(only & 63) & 1 == 0, !isChecked || !endpoints[only].server.isIll else { return nil }
        return only
    }

    private func chooseAmongAll(notIn tried: UInt64) -> Int? {
        turn &+= 1
        while true {
            var best: (endpoint: Int, rank: Rank, load: Int)?
            for offset in live.indices {
                let candidate = live[(turn &+ offset) % live.count]
                let server = endpoints[candidate].server
                guard tried >> UInt64(candidate & 63) & 1 == 0, !isChecked || !server.isIll else { continue }
                let rank = rank(of: server, doubtedUntil: endpoints[candidate].doubtedUntil)
                let load = server.exchanges
                if let best, (best.rank, best.load) <= (rank, load) { continue }
                best = (candidate, rank, load)
            }
            guard let best else { return nil }
            // Whoever comes first tries it; for the others its pause has begun anew.
            guard best.rank == .due, !endpoints[best.endpoint].server.takeProbe(at: loop.ticks) else {
                return best.endpoint
            }
        }
    }

    private enum Rank: Int, Comparable {
        case due, fit, doubted, paused, unresolved

        static func < (left: Rank, right: Rank) -> Bool { left.rawValue < right.rawValue }
    }

    private func rank(of server: UpstreamServer, doubtedUntil: Int64) -> Rank {
        guard server.socketAddress != nil else { return .unresolved }
        guard let end = server.pausedUntil else { return doubtedUntil > loop.ticks ? .doubted : .fit }
        return end <= loop.ticks ? .due : .paused
    }

    // MARK: What becomes of it

    /// An answer began.
    func answered(_ endpoint: Int) {
        guard endpoints[endpoint].isSuspect else { return }
        endpoints[endpoint].isSuspect = false
        let server = endpoints[endpoint].server
        guard server.succeeded(at: loop.ticks) == .returned else { return }
        loop.logger.notice(
            "a server of an upstream answers again and is used like the others",
            metadata: ["upstream": "\(description.name)", "server": "\(server.label)"])
    }

    /// It has closed a connection that it could have kept.
    func doubt(_ endpoint: Int) {
        endpoints[endpoint].doubtedUntil = loop.ticks + 1_000
    }

    /// There will be no answer, and that says something about the server. One that has no other beside it is never
    /// passed over.
    func blame(_ endpoint: Int, _ kind: UpstreamFailure) {
        guard live.count > 1, let fault = kind.fault else { return }
        endpoints[endpoint].isSuspect = true
        let server = endpoints[endpoint].server
        let jitter = Double(loop.random() >> 11) / Double(1 << 53)
        guard case .ejected(let pause) = server.failed(fault, at: loop.ticks, jitter: jitter) else { return }
        servers.countEjection()
        loop.logger.warning(
            "a server of an upstream is passed over for a while",
            metadata: [
                "upstream": "\(description.name)", "server": "\(server.label)", "kind": "\(kind.label)",
                "milliseconds": "\(pause)",
            ])
    }
}
