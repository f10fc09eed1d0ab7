import Glibc
import NIOCore
import NIOPosix

/// Binds the server's sockets. TCP: one socket a loop with SO_REUSEPORT, so that the kernel spreads connections and
/// no loop hands one to another. Unix sockets know no such thing: one loop accepts and the group takes turns.
struct Listener {
    let loops: [NIOLoopBound<ProxyLoop>]
    let group: MultiThreadedEventLoopGroup
    let maximumConnections: Int
    /// How many of them accept beside this one, itself included.
    let listeners: Int

    private static let reusePort = NIOBSDSocket.Option(rawValue: SO_REUSEPORT)
    /// Waiting connections that the kernel keeps.
    private static let backlog: Int32 = 4096

    /// Connections that one socket accepts in one go; how many there are is looked at in between. All sockets together must
    /// not go far beyond the maximum, which leaves little room where there are few descriptors.
    static func acceptedAtOnce(maximum: Int, sockets: Int) -> UInt {
        UInt(max(1, min(16, maximum / (32 * max(1, sockets)))))
    }

    /// - Parameter tls: what `description.tls` was made into.
    func bind(_ description: ListenerDescription, tls: TLSTerminal?) async throws(ProxyError) -> (
        channels: [any Channel], bound: [BoundAddress]
    ) {
        let role = ListenerRole(
            serve: description.serve, tls: tls, redirectsToHTTPS: description.redirectsToHTTPS,
            takesProxyProtocol: description.takesProxyProtocol)
        switch description.address {
        case .tcp(let host, let port):
            var channels: [any Channel] = []
            var actual = port
            try await checkFree(host, port)
            for loop in loops {
                do {
                    let channel = try await bootstrap(on: loop, role: role)
                        .serverChannelOption(.socketOption(Self.reusePort), value: 1)
                        .bind(host: host, port: actual).get()
                    actual = channel.localAddress?.port ?? actual
                    channels.append(channel)
                } catch {
                    for channel in channels { channel.close(promise: nil) }
                    throw Self.error(error, "\(host):\(port)")
                }
            }
            return (channels, [BoundAddress(channels.first?.localAddress, path: nil)])
        case .unix(let path, let mode, let group):
            try UnixSocketFile.prepare(path)
            let channel: any Channel
            do {
                channel = try await shared(role: role).bind(unixDomainSocketPath: path).get()
            } catch {
                throw Self.error(error, "unix:\(path)")
            }
            try UnixSocketFile.giveOver(path, mode: mode, group: group, orClose: channel)
            return ([channel], [BoundAddress(nil, path: path)])
        case .passed(let name, let descriptors):
            return try await take(descriptors, name: name, role: role)
        }
    }

    /// Accepts on sockets that listen already. Closing ours leaves them open where they came from, and with them the
    /// connections that nobody has accepted yet.
    private func take(
        _ descriptors: [Int32], name: String, role: ListenerRole
    ) async throws(ProxyError) -> (channels: [any Channel], bound: [BoundAddress]) {
        var channels: [any Channel] = []
        for descriptor in descriptors {
            do {
                channels.append(try await shared(role: role).withBoundSocket(descriptor).get())
            } catch {
                for channel in channels { channel.close(promise: nil) }
                throw Self.error(error, "systemd:\(name)")
            }
        }
        return (channels, channels.map { BoundAddress($0.localAddress, path: $0.localAddress?.pathname) })
    }

    /// With SO_REUSEPORT a second server of the same user could bind too, and each would take half of the connections:
    /// a mistake that nobody would see. A socket without that option finds out.
    private func checkFree(_ host: String, _ port: Int) async throws(ProxyError) {
        guard port != 0 else { return }
        do {
            let probe = try await ServerBootstrap(group: loops[0].eventLoop)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: port).get()
            try await probe.close().get()
        } catch {
            throw Self.error(error, "\(host):\(port)")
        }
    }

    private func bootstrap(on loop: NIOLoopBound<ProxyLoop>, role: ListenerRole) -> ServerBootstrap {
        configure(ServerBootstrap(group: loop.eventLoop, childGroup: loop.eventLoop), role: role)
    }

    private func shared(role: ListenerRole) -> ServerBootstrap {
        configure(ServerBootstrap(group: loops[0].eventLoop, childGroup: group), role: role)
    }

    private func configure(_ bootstrap: ServerBootstrap, role: ListenerRole) -> ServerBootstrap {
        let loops = loops
        let maximum = maximumConnections
        let atOnce = Self.acceptedAtOnce(maximum: maximum, sockets: loops.count * listeners)
        return
            bootstrap
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop }) else { return }
                    try channel.pipeline.syncOperations.addHandler(AcceptGate(loop: loop, maximum: maximum))
                }
            }
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: atOnce)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let address = channel.remoteAddress
                    if address?.protocol == .inet || address?.protocol == .inet6 {
                        try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
                    }
                    guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
                        throw ProxyError(.cannotBind, "a connection came to a loop that is not ours")
                    }
                    try AcceptedConnection(channel: channel, loop: loop.value, role: role).begin(address)
                }
            }
    }

    static func error(_ error: any Error, _ address: String) -> ProxyError {
        if let io = error as? IOError {
            switch io.errnoCode {
            case EADDRINUSE: return ProxyError(.addressInUse, "\(address) is in use by another process")
            case EACCES, EPERM:
                let hint = address.hasPrefix("unix:") ? "" : ": a port below 1024 needs CAP_NET_BIND_SERVICE"
                return ProxyError(.permissionDenied, "listening on \(address) is not permitted\(hint)")
            default:
                return ProxyError(
                    .cannotBind, "cannot listen on \(address): \(String(cString: strerror(io.errnoCode)))")
            }
        }
        return ProxyError(.cannotBind, "cannot listen on \(address): \(error)")
    }
}
