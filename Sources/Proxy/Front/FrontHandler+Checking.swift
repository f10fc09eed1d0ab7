import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// Verdicts for other proxies: the same decision, answered instead of carried out.
extension FrontHandler {
    func check<Dialect: CheckDialect>(_ dialect: Dialect.Type, _ incoming: borrowing Incoming) {
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
            incoming.scan.mayBePreflight && ASCIIText.equalsIgnoringCase(description.method, "options")
        let facts = Facts(
            method: method.span, host: host.span, path: path.span, clientAddress: current.clientAddress,
            isPreflight: isPreflight, now: incoming.now)
        let named: Route?
        switch askedRoute(dialect, incoming) {
        case .success(let route): named = route
        case .failure(let failure): return refuseDescription(dialect, incoming, failure)
        }
        let route = named ?? site.snapshot.route(for: facts)
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
        let judgement =
            if let named {
                site.snapshot.decide(facts, named: named, credential: resolved.state)
            } else {
                site.snapshot.decide(facts, route: route, credential: resolved.state)
            }
        let verdict = judgement.verdict
        let reason = judgement.reason
        if let route, route.forwardsAccessToken, verdict == .allow, waitsForToken(resolved.state, route, incoming) {
            return
        }
        noteShadow(judgement)
        noteCheckAccess(incoming, description, resolved.state, verdict, reason)
        if current.access != nil { noteRule(judgement) }
        let rule = judgement.ruleIndex
        // Another reading of the path may fall on another route, and the rule is one of that.
        if verdict != .allow { current.route = judgement.route?.index ?? -1 }
        guard let permit = judgement.permit() else {
            current.refusingRule = rule ?? -1
            if let wait = waitAfterRefusedKey(resolved, at: incoming.now) {
                let answer = Dialect.refusal(.deny, .rateLimited, state: .none).repeatable(after: wait)
                return answerRefused(dialect, incoming, answer, resolved.state, description, route)
            }
            let answer = Dialect.refusal(verdict, reason ?? .ruleDenied, state: resolved.state)
            return answerRefused(dialect, incoming, answer, resolved.state, description, route)
        }
        answerAllowed(dialect, incoming, permit, resolved)
    }

    /// Refused as the dialect says it, with the place to sign in where there is one.
    private func answerRefused<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ incoming: borrowing Incoming, _ answer: RefusalAnswer, _ state: CredentialState,
        _ description: CheckDescription, _ route: Route?
    ) {
        let place = route.flatMap { location(of: answer, description, on: $0, incoming, state) }
        switch (Dialect.guidance, place) {
        case (.redirect, let place?):
            refuseBySendingOn(incoming, answer, state, to: place, described: description)
        case (.redirect, nil), (.locationBeside, _):
            refuse(
                incoming, answer, state, location: place, described: description, hasBody: Dialect.refusalsHaveBodies)
        }
    }

    /// The route that the operator's proxy names; nil when it leaves that to the host and the path.
    private func askedRoute<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ incoming: borrowing Incoming
    ) -> Result<Route?, CheckFailure> {
        guard Dialect.takesRouteName, let query = incoming.head.query else { return .success(nil) }
        switch RouteNameQuery(query.bytes(in: incoming.bytes)) {
        case .none: return .success(nil)
        case .unclear: return .failure(CheckFailure(reason: .descriptionConflict))
        case .name(let name):
            guard let route = site.snapshot.route(named: name) else {
                return .failure(CheckFailure(reason: .noRoute))
            }
            return .success(route)
        }
    }

    private func refuseDescription<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ incoming: borrowing Incoming, _ failure: CheckFailure
    ) {
        if failure.reason == .descriptionConflict || failure.reason == .descriptionMissing {
            loop.logger.warning(
                "a check was refused for its description",
                metadata: [
                    "dialect": "\(Dialect.name)", "reason": "\(failure.reason.rawValue)",
                    "values": "\(failure.values.joined(separator: " / "))", "request_id": "\(current.id.text)",
                ])
        }
        refuse(
            incoming, Dialect.refusal(ofDescription: failure.reason), .none, hasBody: Dialect.refusalsHaveBodies)
    }

    /// The endpoint does not exist for those who may not describe; only the log says what would change that.
    private func refuseUntrustedPeer(_ incoming: borrowing Incoming) {
        let address = peer.address.map { "\(Network("\($0)")?.description ?? "\($0)")" } ?? "unix"
        let line = peer.isTrusted ? "the proxy must send Gatehouse-Proxy-Secret" : "trusted_proxies: [\(address)]"
        loop.logger.warning(
            "a check was asked for by a peer that is not trusted",
            metadata: ["peer": "\(address)", "add": "\(line)", "request_id": "\(current.id.text)"])
        refuse(incoming, RefusalAnswer(status: 404, reason: .peerUntrusted, verdict: .deny))
    }

    /// 200 with every identity header, and with the credentials as the app should see them.
    private func answerAllowed<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ incoming: borrowing Incoming, _ permit: consuming Permit,
        _ resolved: Resolved
    ) {
        let route = permit.route
        guard var block = identityBlock(permit.identity, route, at: incoming.now) else {
            return refuse(incoming, Dialect.refusal(.deny, .storeUnavailable, state: .none), .none)
        }
        if route.forwardsAccessToken { block += accessTokenLine(permit.identity, route, at: incoming.now) }
        noteAllowed(permit.identity, route, incoming)
        skipBody(incoming)
        let setting = setting
        let dateLine = loop.dateLine(at: incoming.now)
        loop.clearScratch()
        loop.scratch.writeHead { writer in
            writer.text("HTTP/1.1 200 OK\r\n")
            writer.bytes(dateLine)
            writer.bytes(block)
            let cookies = writeCookies(dialect, incoming, resolved, into: &writer)
            let authorization = Self.writeCredential(
                dialect, "Authorization: ", .authorization, incoming.scan.authorizations, ", ", incoming,
                resolved.removed, into: &writer)
            let key = Self.writeCredential(
                dialect, "X-API-Key: ", .xAPIKey, incoming.scan.apiKeys, ", ", incoming, resolved.removed,
                into: &writer)
            switch Dialect.emptiedField {
            case .absent: break
            // Nobody but us reads this one.
            case .empty: writer.text("Gatehouse-Key:\r\n")
            case .removed:
                writer.bytes(site.routes[route.index].envoyRemovals)
                if !cookies { writer.text(",cookie") }
                if !authorization { writer.text(",authorization") }
                if !key { writer.text(",x-api-key") }
                writer.text("\r\n")
            }
            writer.text("X-Request-Id: ")
            current.id.write(into: &writer)
            writer.text("\r\n")
            AnswerWriter.writeConnection(setting, into: &writer)
            writer.text("Content-Length: 0\r\n\r\n")
        }
        write(loop.scratch)
        conclude(status: 200)
    }

    /// What is left of the client's cookies without ours.
    ///
    /// - Returns: whether anything is.
    private func writeCookies<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ incoming: borrowing Incoming, _ resolved: Resolved, into writer: inout HeadWriter
    ) -> Bool {
        guard !resolved.filtered.isEmpty else {
            return Self.writeCredential(
                dialect, "Cookie: ", .cookie, incoming.scan.cookies, "; ", incoming, FieldMask(), into: &writer)
        }
        var isFirst = true
        for index in incoming.head.fields.indices where incoming.head.fields[index].id == .cookie {
            let value = incoming.head.fields[index].value.bytes(in: incoming.bytes)
            let hasOthers = CookiePairs.writeOthers(
                of: value, site.ownCookies, after: isFirst ? "Cookie: " : "; ", into: &writer)
            if hasOthers { isFirst = false }
        }
        return Self.endField(dialect, "Cookie: ", isEmpty: isFirst, into: &writer)
    }

    /// What is left of the client's own fields of that name.
    ///
    /// - Returns: whether anything is.
    private static func writeCredential<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ start: StaticString, _ id: FieldID, _ count: Int, _ separator: StaticString,
        _ incoming: borrowing Incoming, _ removed: FieldMask, into writer: inout HeadWriter
    ) -> Bool {
        var isFirst = true
        if count > 0 {
            for index in incoming.head.fields.indices where incoming.head.fields[index].id == id {
                guard !removed.contains(index) else { continue }
                writer.text(isFirst ? start : separator)
                isFirst = false
                writer.bytes(incoming.head.fields[index].value.bytes(in: incoming.bytes))
            }
        }
        return endField(dialect, start, isEmpty: isFirst, into: &writer)
    }

    private static func endField<Dialect: CheckDialect>(
        _ dialect: Dialect.Type, _ start: StaticString, isEmpty: Bool, into writer: inout HeadWriter
    ) -> Bool {
        if !isEmpty {
            writer.text("\r\n")
        } else if case .empty = Dialect.emptiedField {
            writer.text(start)
            writer.text("\r\n")
        }
        return !isEmpty
    }

    private func noteCheckAccess(
        _ incoming: borrowing Incoming, _ description: CheckDescription, _ state: CredentialState, _ verdict: Verdict,
        _ reason: Reason?
    ) {
        noteAccess(incoming, state: state, verdict: verdict, reason: reason)
        guard current.access != nil else { return }
        current.access?.method = String(decoding: description.method, as: UTF8.self)
        current.access?.host = String(decoding: description.host, as: UTF8.self)
        current.access?.path = Self.withoutToken(String(decoding: description.path, as: UTF8.self))
    }
}
