import Core
import NIOCore
import Synchronization

/// One server of an upstream, as all loops see it: how busy it is, and whether it is to be passed over. What a choice
/// looks at are single numbers; the lock is for when something goes wrong, or right again.
final class UpstreamServer: Sendable {
    private struct State: Sendable {
        var ejection = Ejection()
        var health = CheckedHealth()
    }

    /// As configured.
    let address: UpstreamDescription.Address
    /// The one of the name's addresses that this is; nil where there is no name, or no address of it is known.
    let resolved: IPAddress?
    /// Where to connect to; nil while no address of the name is known.
    let socketAddress: SocketAddress?
    private let load = Atomic<Int>(0)
    /// The end of a pause in milliseconds of the monotonic clock; 0: it is in.
    private let pauseEnd = Atomic<Int64>(0)
    private let hasFailed = Atomic<Bool>(false)
    private let wasFoundIll = Atomic<Bool>(false)
    private let state = Mutex(State())

    init(_ address: UpstreamDescription.Address, resolved: IPAddress? = nil) {
        self.address = address
        self.resolved = resolved
        if case .unix(let path) = address {
            socketAddress = try? SocketAddress(unixDomainSocketPath: path)
        } else if let place = address.place, let ip = resolved ?? IPAddress(place.host) {
            socketAddress = try? SocketAddress(ipAddress: ip.description, port: place.port)
        } else {
            socketAddress = nil
        }
    }

    /// For logs and metrics.
    var label: String {
        guard let resolved else { return address.text }
        return "\(address.text) (\(resolved))"
    }

    // MARK: Load

    /// Exchanges of all loops, as far as they say.
    var exchanges: Int { load.load(ordering: .relaxed) }

    func addExchanges(_ count: Int) { load.add(count, ordering: .relaxed) }

    // MARK: What traffic finds

    /// It is passed over, and until when.
    var pausedUntil: Int64? {
        let end = pauseEnd.load(ordering: .relaxed)
        return end == 0 ? nil : end
    }

    /// A success would change something.
    var isSuspect: Bool { hasFailed.load(ordering: .relaxed) }

    func failed(_ fault: Ejection.Fault, at now: Int64, jitter: Double) -> Ejection.Change {
        change { $0.failed(fault, at: now, jitter: jitter) }
    }

    func succeeded(at now: Int64) -> Ejection.Change { change { $0.succeeded(at: now) } }

    func takeProbe(at now: Int64) -> Bool { change { $0.takeProbe(at: now) } }

    private func change<Result: Sendable>(_ body: (inout Ejection) -> Result) -> Result {
        state.withLock { state in
            defer { publish(state) }
            return body(&state.ejection)
        }
    }

    private func publish(_ state: State) {
        pauseEnd.store(state.ejection.outUntil ?? 0, ordering: .relaxed)
        hasFailed.store(state.ejection.failures > 0 || state.ejection.outUntil != nil, ordering: .relaxed)
        wasFoundIll.store(!state.health.isWell, ordering: .relaxed)
    }

    // MARK: What checks find

    var isIll: Bool { wasFoundIll.load(ordering: .relaxed) }

    /// A server that recovers is forgiven what traffic has found before.
    func checked(isWell: Bool) -> CheckedHealth.Change {
        state.withLock { state in
            let change = state.health.note(isWell: isWell)
            if change == .recovered { _ = state.ejection.forgive() }
            publish(state)
            return change
        }
    }
}
