import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// Heads that could not be read. What they ask for is told to the log and the audit as far as it can be made out, and
/// nothing is decided by it but how the refusal is put.
extension FrontHandler {
    /// - Parameter bytes: the head, as far as it is there; what is behind it cannot be told apart from it.
    func refuseUnreadable(_ refusal: HTTPWire.Refusal, _ bytes: UnsafeRawBufferPointer) {
        takeSite()
        let glimpse = HeadGlimpse(bytes)
        let own = OwnPath(glimpse.path.bytes(in: bytes))
        let endpoint = checkEndpoint(own)
        exchange.head(keepsAlive: false, hasBody: true)
        // Whatever comes is thrown away, as far as that goes.
        body = BodyReader(BodyFraming.length(.max))
        beginUnreadable(glimpse.methodKind(in: bytes), own)
        let answer = RefusalAnswer(
            status: endpoint == .nginx ? 403 : refusal.status, reason: refusal.reason, verdict: .deny)
        loop.counters.countRefused(route: -1, shape: current.shape, verdict: .deny, reason: answer.reason)
        loop.logger.debug(
            "a request was refused as malformed",
            metadata: ["code": "\(refusal.code.rawValue)", "request_id": "\(current.id.text)"])
        noteUnreadable(refusal, glimpse, bytes)
        writeRefusal(
            answer, basic: false, detail: "The request was refused: \(refusal.code.rawValue).",
            hasBody: endpoint != .haproxy)
        // Only what is no HTTP at all is cut; for the rest the sender may still be sending.
        conclude(status: answer.status, malformed: refusal.status == 400)
        if case .draining = exchange.state {
            clientDeadline = min(clientDeadline, loop.ticks + site.patience.lingering)
        }
        flushAnswer()
    }

    /// Nothing of the request before is left.
    private func beginUnreadable(_ method: Method, _ own: OwnPath?) {
        current.id = loop.makeRequestID()
        current.started = NIODeadline.now().uptimeNanoseconds
        current.method = method == .head ? .head : .get
        current.isOldVersion = false
        current.sent = 0
        current.route = -1
        current.access = nil
        // Who a trusted proxy asks for stands in a line that nobody has believed.
        current.clientAddress = peer.isTrusted ? nil : peer.address
        switch own {
        case .check where role.serve.contains(.check): current.shape = .check
        case .portal where role.serve.contains(.portal): current.shape = .portal
        case .check, .portal, .wellKnown, nil: current.shape = .inline
        }
    }

    /// The proxy that asks, if it may: each understands some answers only. nginx makes a 500 of everything but 2xx, 401
    /// and 403, HAProxy reads no body.
    private func checkEndpoint(_ own: OwnPath?) -> CheckEndpoint? {
        guard case .check(let endpoint) = own, role.serve.contains(.check), peer.isTrusted else { return nil }
        return endpoint
    }

    private func noteUnreadable(_ refusal: HTTPWire.Refusal, _ glimpse: HeadGlimpse, _ bytes: UnsafeRawBufferPointer) {
        let now = loop.clock.now()
        let isKept = loop.context.decisions.keepsRequest(at: now)
        var denial = Denial(
            reason: refusal.reason, route: nil, user: nil, subject: nil, credentialID: nil,
            address: current.clientAddress, requestID: current.id.text, at: now)
        guard isKept || site.configuration.requestLog != .none else { return loop.context.decisions.denied(denial) }
        func text(_ slice: Slice, atMost longest: Int) -> String {
            let bytes = slice.bytes(in: bytes).prefix(longest)
            return String(decoding: bytes.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
        }
        let asked = RefusedRequest(
            method: text(glimpse.method, atMost: 64), host: text(glimpse.host, atMost: 260),
            path: Self.withoutToken(text(glimpse.path, atMost: RefusedRequest.longestPath)), rule: nil,
            verdict: Verdict.deny.rawValue, shape: current.shape.label)
        if isKept { denial.asked = asked }
        loop.context.decisions.denied(denial)
        guard site.configuration.requestLog != .none else { return }
        var note = AccessNote(
            method: asked.method, host: asked.host, path: asked.path, verdict: .deny, reason: refusal.reason)
        note.code = refusal.code.rawValue
        current.access = note
    }
}
