import Core
import NIOCore
import NIOPosix
import Policy

/// The right to send one request to an upstream: only a permit makes it, and it is used up by the exchange.
struct Lease: ~Copyable {
    let permit: Permit
    let pool: UpstreamPool
    /// Servers that were tried, one bit each.
    private(set) var tried: UInt64 = 0
    private(set) var endpoint: Int

    init(permit: consuming Permit, pool: UpstreamPool) {
        self.permit = permit
        self.pool = pool
        endpoint = pool.choose(notIn: 0) ?? 0
    }

    /// The next server that has not been tried.
    ///
    /// - Returns: false when there is none left.
    mutating func failOver() -> Bool {
        tried |= 1 << UInt64(endpoint & 63)
        guard let next = pool.choose(notIn: tried) else { return false }
        endpoint = next
        return true
    }
}

/// The connections of one loop to one upstream.
final class UpstreamPool {
    private struct Endpoint {
        let address: UpstreamDescription.Address
        let authority: [UInt8]
        var idle: [UpstreamHandler] = []
        var active = 0
        var downUntil: Int64 = 0
    }

    private unowned let loop: ProxyLoop
    let description: UpstreamDescription
    let tls: UpstreamTLS?
    private let limits: Limits
    /// Milliseconds that a connection waits here.
    private let keepAlive: Int64
    private var endpoints: [Endpoint]
    private var turn = 0
    private var isRetired = false

    /// How long a server that refused a connection is passed over while others are there.
    private static let pauseAfterFailure: Int64 = 2_000

    init(loop: ProxyLoop, description: UpstreamDescription, tls: UpstreamTLS?, limits: Limits) {
        self.loop = loop
        self.description = description
        self.tls = tls
        self.limits = limits
        keepAlive = limits.upstreamKeepAlive.wholeMilliseconds
        endpoints = description.addresses.map { Endpoint(address: $0, authority: Self.authority(of: $0)) }
    }

    /// The number of connections: in the pool, and in use.
    var connections: (idle: Int, active: Int) {
        endpoints.reduce((0, 0)) { ($0.0 + $1.idle.count, $0.1 + $1.active) }
    }

    /// What goes into `Host`, if it is not what the client sent.
    ///
    /// - Parameter asked: the client named a host.
    func authority(of endpoint: Int, asked: Bool = true) -> [UInt8]? {
        description.host == .upstream || !asked ? endpoints[endpoint].authority : nil
    }

    /// The server with the fewest exchanges, in turn among equals; one that just refused only when there is no other.
    func choose(notIn tried: UInt64) -> Int? {
        if endpoints.count == 1 { return tried & 1 == 0 ? 0 : nil }
        turn &+= 1
        var best: Int?
        var bestLoad = Int.max
        for offset in endpoints.indices {
            let candidate = (turn &+ offset) % endpoints.count
            guard tried >> UInt64(candidate & 63) & 1 == 0 else { continue }
            let down = endpoints[candidate].downUntil > loop.ticks
            let load = endpoints[candidate].active + (down ? 1 << 32 : 0)
            if load < bestLoad {
                best = candidate
                bestLoad = load
            }
        }
        return best
    }

    /// A connection that waits, the one used last first; it counts as used from now on.
    func takeIdle(_ endpoint: Int) -> UpstreamHandler? {
        while let handler = endpoints[endpoint].idle.popLast() {
            guard handler.isUsable else { continue }
            endpoints[endpoint].active += 1
            return handler
        }
        return nil
    }

    /// Makes a new connection; it counts as used from now on.
    ///
    /// - Parameter forTunnel: it will not come back and may be idle for long: its buffers are small.
    func connect(
        _ endpoint: Int, forTunnel: Bool = false, then: @escaping (Result<UpstreamHandler, any Error>) -> Void
    ) {
        endpoints[endpoint].active += 1
        let handler = UpstreamHandler(loop: loop, pool: self, endpoint: endpoint)
        let handshake: UpstreamHandshake?
        do {
            handshake = try makeHandshake(endpoints[endpoint].address, before: handler)
        } catch {
            endpoints[endpoint].active -= 1
            return loop.eventLoop.assumeIsolated().execute { then(.failure(error)) }
        }
        let bound = NIOLoopBound((handler, handshake), eventLoop: loop.eventLoop)
        var bootstrap = ClientBootstrap(group: loop.eventLoop)
            .channelOption(.maxMessagesPerRead, value: 1)
            .connectTimeout(.milliseconds(description.connectTimeout.wholeMilliseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (handler, handshake) = bound.value
                    guard let handshake else { return try channel.pipeline.syncOperations.addHandler(handler) }
                    try handshake.begin(on: channel)
                }
            }
        if forTunnel { bootstrap = bootstrap.channelOption(.recvAllocator, value: PassingBuffers(first: 128)) }
        let future: EventLoopFuture<any Channel>
        switch endpoints[endpoint].address {
        case .tcp(let host, let port), .tls(let host, let port):
            let tcp = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
            if let address = try? SocketAddress(ipAddress: host, port: port) {
                future = tcp.connect(to: address)
            } else {
                future = tcp.connect(host: host, port: port)
            }
        case .unix(let path): future = bootstrap.connect(unixDomainSocketPath: path)
        }
        func settle(_ result: Result<Void, any Error>) {
            switch result {
            case .success:
                endpoints[endpoint].downUntil = 0
                then(.success(handler))
            case .failure(let error):
                endpoints[endpoint].active -= 1
                endpoints[endpoint].downUntil = loop.ticks + Self.pauseAfterFailure
                then(.failure(error))
            }
        }
        if let handshake {
            handshake.outcome(of: future).assumeIsolated().whenComplete(settle)
        } else {
            future.assumeIsolated().whenComplete { settle($0.map { _ in }) }
        }
    }

    /// Nil where the address is spoken to plainly.
    private func makeHandshake(
        _ address: UpstreamDescription.Address, before handler: UpstreamHandler
    ) throws -> UpstreamHandshake? {
        guard case .tls(let host, _) = address, let tls else { return nil }
        return UpstreamHandshake(
            try tls.makeHandler(for: host), next: handler, on: loop.eventLoop,
            timeout: .milliseconds(description.connectTimeout.wholeMilliseconds))
    }

    /// An exchange is over.
    func giveBack(_ handler: UpstreamHandler, reusable: Bool) {
        endpoints[handler.endpoint].active -= 1
        guard reusable, !isRetired, endpoints[handler.endpoint].idle.count < limits.maximumIdleUpstream else {
            if reusable { handler.discard() }
            return
        }
        handler.idleUntil = loop.ticks + keepAlive
        endpoints[handler.endpoint].idle.append(handler)
    }

    /// The connection has died, in the pool or in use.
    func forget(_ handler: UpstreamHandler) {
        if !forgetIdle(handler) { endpoints[handler.endpoint].active -= 1 }
    }

    /// - Returns: whether it was in the pool.
    @discardableResult
    func forgetIdle(_ handler: UpstreamHandler) -> Bool {
        guard let place = endpoints[handler.endpoint].idle.firstIndex(where: { $0 === handler }) else { return false }
        endpoints[handler.endpoint].idle.remove(at: place)
        return true
    }

    /// Closes what has waited too long.
    func sweep(_ now: Int64) {
        for index in endpoints.indices {
            while let first = endpoints[index].idle.first, first.idleUntil <= now {
                endpoints[index].idle.removeFirst()
                first.discard()
            }
        }
    }

    /// Takes nothing back any more.
    func retire() {
        isRetired = true
        for index in endpoints.indices {
            for handler in endpoints[index].idle { handler.discard() }
            endpoints[index].idle = []
        }
    }

    private static func authority(of address: UpstreamDescription.Address) -> [UInt8] {
        func authority(_ host: String, _ port: Int, standard: Int) -> [UInt8] {
            let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
            return Array((port == standard ? name : "\(name):\(port)").utf8)
        }
        switch address {
        case .tcp(let host, let port): return authority(host, port, standard: 80)
        case .tls(let host, let port): return authority(host, port, standard: 443)
        case .unix: return Array("localhost".utf8)
        }
    }
}
