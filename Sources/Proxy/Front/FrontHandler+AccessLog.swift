import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// What the access line says and the answer does not know. Kept only when a line will be written.
struct AccessNote {
    /// As it came; for a check, as it was described. The query is never kept: it may hold secrets.
    var method: String
    var host: String
    var path: String
    var user: String?
    /// The credential's id, and its kind.
    var credential: String?
    var kind: Identity.Kind?
    var verdict: Verdict
    var reason: Reason?
    /// What was wrong with a head that could not be read.
    var code: String?
    /// The name of the rule that decided, or its place in the route.
    var rule: String?
    /// Who was to answer: the upstream and its server.
    var upstream: String?
    var server: String?
    /// When the head of the upstream's answer came, in monotonic nanoseconds.
    var firstByte: UInt64?
    var failure: UpstreamFailure?
    /// The line comes when it ends.
    var isTunnel = false
    /// The exchange was ended by us before it was complete.
    var isCut = false

    init(method: String, host: String, path: String, verdict: Verdict, reason: Reason?) {
        self.method = method
        self.host = host
        self.path = path
        self.verdict = verdict
        self.reason = reason
    }

    mutating func name(_ state: CredentialState) {
        switch state {
        case .none: break
        case .identity(let identity): name(identity)
        case .refused(let refusal):
            user = refusal.user
            credential = refusal.credentialID
        }
    }

    mutating func name(_ identity: Identity?) {
        user = identity?.user
        credential = identity?.credentialID
        kind = identity?.kind
    }
}

/// One line an exchange, as far as `log.requests` wants it. Where it wants none of those that are allowed, nothing is
/// kept of them; should one fail later, what it was judged by says what it was.
extension FrontHandler {
    /// Keeps what the access line will say, if there is going to be one.
    func noteAccess(_ incoming: borrowing Incoming, state: CredentialState, verdict: Verdict, reason: Reason?) {
        switch site.configuration.requestLog {
        case .none: return
        case .denied where verdict == .allow: return
        case .sampled(let oneIn) where verdict == .allow && loop.random() % UInt64(max(1, oneIn)) != 0: return
        case .denied, .sampled, .all: break
        }
        func text(_ slice: Slice) -> String { String(decoding: slice.bytes(in: incoming.bytes), as: UTF8.self) }
        var note = AccessNote(
            method: text(incoming.head.method), host: text(incoming.head.host),
            path: Self.withoutToken(text(incoming.head.path)), verdict: verdict, reason: reason)
        note.name(state)
        current.access = note
    }

    func noteRule(_ judgement: borrowing Judgement) {
        current.access?.rule = judgement.ruleName ?? judgement.ruleIndex.map { "\($0)" }
    }

    func noteServer() {
        guard let pool = lease?.pool, let endpoint = lease?.endpoint else { return }
        current.access?.upstream = pool.description.name
        current.access?.server = endpoint >= 0 ? pool.server(endpoint).label : nil
    }

    func noteFirstByte() {
        current.access?.firstByte = NIODeadline.now().uptimeNanoseconds
    }

    /// What was allowed has failed, or was ended by us: there is a line for it unless there are none at all. To be
    /// called while the lease is still there.
    func noteFailure(reason: Reason?, _ failure: UpstreamFailure? = nil, verdict: Verdict = .allow) {
        guard site.configuration.requestLog != .none else { return }
        if current.access == nil {
            guard lease != nil else { return }
            let texts = judged.texts
            var note = AccessNote(
                method: texts.method, host: texts.host, path: texts.path, verdict: verdict, reason: reason)
            note.name(lease?.permit.identity)
            current.access = note
            noteServer()
            if case .tunnelling = exchange.state { current.access?.isTunnel = true }
        }
        current.access?.verdict = verdict
        current.access?.reason = reason
        current.access?.failure = failure
        current.access?.isCut = true
    }

    /// - Parameter isUnfinished: the connection has ended before the exchange, which is how every tunnel ends.
    func writeAccessLine(isUnfinished: Bool = false) {
        guard let note = current.access else { return }
        current.access = nil
        let isAborted = isUnfinished && !note.isTunnel && !note.isCut
        // 499 is what nginx made customary for a client that did not wait for an answer.
        let status = current.status == 0 && isAborted ? 499 : current.status
        func microseconds(_ end: UInt64) -> Int { Int(truncatingIfNeeded: (end &- current.started) / 1000) }
        var metadata: Logger.Metadata = [
            "method": "\(note.method)", "host": "\(note.host)", "path": "\(note.path)",
            "status": .stringConvertible(status), "bytes_sent": .stringConvertible(current.sent),
            "verdict": "\(note.verdict.rawValue)", "shape": "\(current.shape.label)",
            "duration_us": .stringConvertible(microseconds(NIODeadline.now().uptimeNanoseconds)),
            "request_id": "\(current.id.text)",
        ]
        if current.route >= 0 { metadata["route"] = "\(site.snapshot.routes[current.route].name)" }
        if let rule = note.rule { metadata["rule"] = "\(rule)" }
        if let reason = note.reason { metadata["reason"] = "\(reason.rawValue)" }
        if let code = note.code { metadata["code"] = "\(code)" }
        if let user = note.user { metadata["user"] = "\(user)" }
        if let credential = note.credential { metadata["credential"] = "\(credential)" }
        if let kind = note.kind { metadata["credential_kind"] = "\(kind.rawValue)" }
        if let address = current.clientAddress { metadata["address"] = "\(address)" }
        if let upstream = note.upstream { metadata["upstream"] = "\(upstream)" }
        if let server = note.server { metadata["server"] = "\(server)" }
        if let firstByte = note.firstByte {
            metadata["first_byte_us"] = .stringConvertible(microseconds(firstByte))
        }
        if let failure = note.failure { metadata["kind"] = "\(failure.label)" }
        if note.isTunnel {
            metadata["tunnel"] = .stringConvertible(true)
            metadata["bytes_received"] = .stringConvertible(current.bodyReceived)
        }
        if isAborted { metadata["aborted"] = .stringConvertible(true) }
        loop.logger.info("request", metadata: metadata)
    }
}
