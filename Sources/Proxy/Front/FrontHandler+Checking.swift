import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// Verdicts for other proxies: the same decision, answered instead of carried out.
extension FrontHandler {
    func check<Dialect: CheckDialect>(_ dialect: Dialect.Type, _ incoming: Incoming) {
        guard incoming.peerIsTrusted else { return refuseUntrustedPeer(incoming) }
        let description: CheckDescription
        switch Dialect.describe(incoming) {
        case .success(let described): description = described
        case .failure(let failure): return refuseDescription(dialect, incoming, failure)
        }
        let method = description.method.bindMemory(to: UInt8.self)
        let host = description.host.bindMemory(to: UInt8.self)
        let path = description.path.bindMemory(to: UInt8.self)
        let isPreflight =
            incoming.scan.mayBePreflight && description.method.elementsEqual("OPTIONS".utf8)
        let facts = Facts(
            method: method.span, host: host.span, path: path.span, clientAddress: current.clientAddress,
            isPreflight: isPreflight, now: incoming.now)
        let route = site.snapshot.route(for: facts)
        current.route = route?.index ?? -1
        let kept = route.map { site.routes[$0.index].keptTraits } ?? []
        if RequestTarget.refusal(for: description.traits, keeping: kept) != nil {
            return refuseDescription(dialect, incoming, CheckFailure(reason: .pathRefused))
        }
        let resolved: Resolved
        switch resolve(incoming, route: route) {
        case .settled(let settled): resolved = withoutForeignUpgrade(settled, incoming, description, route)
        case .waiting: return
        case .conflict: return refuseDescription(dialect, incoming, CheckFailure(reason: .credentialsDisagree))
        }
        let judgement = site.snapshot.decide(facts, route: route, credential: resolved.state)
        let verdict = judgement.verdict
        let reason = judgement.reason
        if let route { noteShadow(judgement.shadow, route: route) }
        noteCheckAccess(incoming, description, resolved.state, verdict, reason)
        if current.access != nil { noteRule(judgement) }
        let rule = judgement.ruleIndex
        guard let permit = judgement.permit() else {
            current.refusingRule = rule ?? -1
            let answer = Dialect.refusal(verdict, reason ?? .ruleDenied, state: resolved.state)
            return refuse(
                incoming, answer, resolved.state,
                location: route.flatMap { location(of: answer, description, on: $0, incoming) },
                described: description)
        }
        answerAllowed(dialect, incoming, permit, resolved)
    }

    private func refuseDescription<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ incoming: Incoming, _ failure: CheckFailure
    ) {
        if failure.reason == .descriptionConflict || failure.reason == .descriptionMissing {
            loop.logger.warning(
                "a check was refused for its description",
                metadata: [
                    "dialect": "\(Dialect.name)", "reason": "\(failure.reason.rawValue)",
                    "values": "\(failure.values.joined(separator: " / "))", "request_id": "\(current.id.text)",
                ])
        }
        let narrow = Dialect.refusal(.deny, failure.reason, state: .none)
        // What is wrong with the question is never mended by signing in.
        refuse(
            incoming,
            RefusalAnswer(status: narrow.status == 401 ? 403 : narrow.status, reason: failure.reason, verdict: .deny),
            .none)
    }

    /// The endpoint does not exist for those who may not describe; only the log says what would change that.
    private func refuseUntrustedPeer(_ incoming: Incoming) {
        let address = peer.address.map { "\(Network("\($0)")?.description ?? "\($0)")" } ?? "unix"
        let line = peer.isTrusted ? "the proxy must send Gatehouse-Proxy-Secret" : "trusted_proxies: [\(address)]"
        loop.logger.warning(
            "a check was asked for by a peer that is not trusted",
            metadata: ["peer": "\(address)", "add": "\(line)", "request_id": "\(current.id.text)"])
        refuse(incoming, RefusalAnswer(status: 404, reason: .peerUntrusted, verdict: .deny))
    }

    /// 200 with every identity header, and with the credentials as the app should see them.
    private func answerAllowed<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ incoming: Incoming, _ permit: consuming Permit,
        _ resolved: Resolved
    ) {
        let route = permit.route
        guard let block = identityBlock(permit.identity, route, at: incoming.now) else {
            return refuse(incoming, Dialect.refusal(.deny, .storeUnavailable, state: .none), .none)
        }
        noteAllowed(permit.identity, route, incoming)
        skipBody(incoming)
        let setting = setting
        let dateLine = loop.dateLine(at: incoming.now)
        loop.scratch.clear()
        loop.scratch.writeHead { writer in
            writer.text("HTTP/1.1 200 OK\r\n")
            writer.bytes(dateLine)
            writer.bytes(block)
            if resolved.filtered.isEmpty {
                Self.writeCredential(
                    "Cookie: ", .cookie, incoming.scan.cookies, "; ", incoming, FieldMask(), into: &writer)
            } else {
                writeOtherCookies(incoming, into: &writer)
            }
            Self.writeCredential(
                "Authorization: ", .authorization, incoming.scan.authorizations, ", ", incoming, resolved.removed,
                into: &writer)
            Self.writeCredential(
                "X-API-Key: ", .xAPIKey, incoming.scan.apiKeys, ", ", incoming, resolved.removed, into: &writer)
            writer.text("X-Request-Id: ")
            current.id.write(into: &writer)
            writer.text("\r\n")
            AnswerWriter.writeConnection(setting, into: &writer)
            writer.text("Content-Length: 0\r\n\r\n")
        }
        write(loop.scratch)
        conclude(status: 200)
    }

    /// What is left of the client's cookies without ours; empty when nothing is.
    private func writeOtherCookies(_ incoming: Incoming, into writer: inout HeadWriter) {
        writer.text("Cookie: ")
        var isFirst = true
        for index in incoming.head.fields.indices where incoming.head.fields[index].id == .cookie {
            let value = incoming.head.fields[index].value.bytes(in: incoming.bytes)
            let hasOthers = CookiePairs.writeOthers(
                of: value, site.ownCookies, after: isFirst ? "" : "; ", into: &writer)
            if hasOthers { isFirst = false }
        }
        writer.text("\r\n")
    }

    /// What is left of the client's own fields of that name; empty when nothing is.
    private static func writeCredential(
        _ start: StaticString, _ id: FieldID, _ count: Int, _ separator: StaticString, _ incoming: Incoming,
        _ removed: FieldMask, into writer: inout HeadWriter
    ) {
        writer.text(start)
        if count > 0 {
            var isFirst = true
            for index in incoming.head.fields.indices where incoming.head.fields[index].id == id {
                guard !removed.contains(index) else { continue }
                if !isFirst { writer.text(separator) }
                isFirst = false
                writer.bytes(incoming.head.fields[index].value.bytes(in: incoming.bytes))
            }
        }
        writer.text("\r\n")
    }

    private func noteCheckAccess(
        _ incoming: Incoming, _ description: CheckDescription, _ state: CredentialState, _ verdict: Verdict,
        _ reason: Reason?
    ) {
        noteAccess(incoming, state: state, verdict: verdict, reason: reason)
        guard current.access != nil else { return }
        current.access?.method = String(decoding: description.method, as: UTF8.self)
        current.access?.host = String(decoding: description.host, as: UTF8.self)
        current.access?.path = String(decoding: description.path, as: UTF8.self)
    }
}
