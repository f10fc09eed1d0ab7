import Core
import HTTPWire
import Logging
import Policy

/// What lasts is judged again: a request that would not be let through any more does not go on.
extension FrontHandler: Watched {
    /// Whether the exchange under way has lasted so long that its verdict may be out of date.
    func hasLasted(at ticks: Int64) -> Bool {
        guard case .forwarding = exchange.state else { return false }
        return ticks - Int64(truncatingIfNeeded: current.started / 1_000_000) >= site.patience.lasting
    }

    /// Once more what was decided when its head came; the next configuration is the one that counts.
    func judgeAgain(at now: Timestamp) {
        // Another of the same batch may have brought its end.
        guard watchPlace >= 0 else { return }
        switch exchange.state {
        case .forwarding, .tunnelling: break
        case .idle, .resolving, .collecting, .responding, .draining, .lingering, .closed: return loop.unwatch(self)
        }
        guard let route = lease?.permit.route else { return loop.unwatch(self) }
        let identity = lease?.permit.identity
        let passage = JudgedRequest.Passage(
            identity: identity, route: route, site: site, address: current.clientAddress)
        let reason =
            hasLostCertificate(identity)
            ? .credentialRevoked
            : judged.withdrawal(of: passage, by: loop.site, reader: loop.context.credentials, at: now)
        guard let reason else { return }
        loop.unwatch(self)
        loop.logger.info(
            "a connection was closed because its request would now be refused",
            metadata: [
                "route": "\(route.name)", "reason": "\(reason.rawValue)", "user": "\(identity?.user ?? "")",
                "credential": "\(identity?.credentialID ?? "")", "request_id": "\(current.id.text)",
            ])
        noteFailure(reason: reason, verdict: .deny)
        withdraw(reason)
    }

    private func withdraw(_ reason: Reason) {
        switch exchange.state {
        case .forwarding(_, .awaited):
            // Nothing has been answered yet: the client can be told.
            giveUpUpstream()
            exchange.closeAfterwards()
            let answer = RefusalAnswer(inline: .deny, reason, state: .none)
            writeRefusal(answer, basic: false, detail: nil)
            conclude(status: answer.status)
            flushAnswer()
        case .idle, .resolving, .collecting, .responding, .forwarding(_, .streaming), .tunnelling, .draining,
            .lingering, .closed:
            abort()
        }
    }
}
