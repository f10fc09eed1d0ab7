import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// From a whole head to a verdict.
extension FrontHandler {
    /// - Parameters:
    ///   - bytes: what the loop's head was parsed from.
    ///   - waited: the credential was pending and has been waited for.
    /// - Returns: how many bytes are used up; 0 when the head is wanted again.
    func begin(_ bytes: UnsafeRawBufferPointer, waited: Bool) -> Int {
        takeSite()
        let scan = HeadScan(loop.head.fields)
        let incoming = Incoming(
            head: loop.head, bytes: bytes, scan: scan, now: loop.clock.now(),
            peerIsTrusted: peerIsTrusted(bytes, scan), waited: waited)
        body = BodyReader(incoming.head.framing)
        current.method = incoming.head.methodKind
        current.isOldVersion = incoming.head.version == .http10
        current.route = -1
        current.shape = .inline
        if current.access != nil { current.access = nil }
        current.bodyAllowance = .max
        current.skippedBody = 0
        current.isRepeatable = incoming.head.methodKind.isIdempotent && body.isEmpty
        current.wasRetried = false
        current.hasLookedAgain = false
        current.bodyWasPassed = false
        if current.upgrade != nil { current.upgrade = nil }
        current.status = 0
        current.sent = 0
        current.bodyWaited = 0
        current.bodyReceived = 0
        if !waited {
            current.started = NIODeadline.now().uptimeNanoseconds
            current.id = requestID(incoming)
        }
        upstreamDeadline = .max
        clientDeadline = .max
        exchange.head(keepsAlive: incoming.head.keepAlive, hasBody: !body.isEmpty)
        current.clientAddress = nil
        if role.redirectsToHTTPS, redirect(incoming) {
            return incoming.head.headLength + current.skippedBody
        }
        if incoming.head.isAsterisk {
            answerAboutServer(incoming)
        } else if let security, namesDisagree(incoming, security) {
            current.clientAddress = clientAddress(incoming)
            refuse(incoming, RefusalAnswer(status: 421, reason: .descriptionConflict, verdict: .deny))
        } else if let own = OwnPath(incoming.head.path.bytes(in: bytes)), own != .wellKnown || isPortals(incoming) {
            serveOwn(own, incoming)
        } else if role.serve.contains(.apps) {
            judgeForApp(incoming)
        } else {
            answerWithoutApps(incoming)
        }
        if exchange.state == .resolving { return 0 }
        return incoming.head.headLength + current.skippedBody
    }

    private func isPortals(_ incoming: borrowing Incoming) -> Bool {
        role.serve.contains(.portal) && site.isPortal(incoming.head.host.bytes(in: incoming.bytes))
    }

    /// Everything of one head for as long as its bytes are there. Not copyable: a copy would count references to the
    /// head's fields anew at every turn of a request's way.
    struct Incoming: ~Copyable {
        let head: RequestHead
        let bytes: UnsafeRawBufferPointer
        let scan: HeadScan
        let now: Timestamp
        let peerIsTrusted: Bool
        let waited: Bool

        /// Of its own method, in any case of letters: some that is behind us may not tell `options` from `OPTIONS`.
        var isPreflight: Bool {
            guard scan.mayBePreflight else { return false }
            return head.methodKind == .options
                || head.methodKind == .other && ASCIIText.equalsIgnoringCase(head.method.bytes(in: bytes), "options")
        }
    }

    private func requestID(_ incoming: borrowing Incoming) -> RequestID {
        let place = incoming.scan.requestID
        guard place >= 0,
            let kept = RequestID(keeping: incoming.head.fields[place].value.bytes(in: incoming.bytes))
        else { return loop.makeRequestID() }
        return kept
    }

    /// The peer may describe clients and requests: by its address, and by the secret where there is one.
    private func peerIsTrusted(_ bytes: UnsafeRawBufferPointer, _ scan: HeadScan) -> Bool {
        guard peer.isTrusted else { return false }
        guard let secret = site.proxySecret else { return true }
        guard scan.proxySecrets == 1 else { return false }
        return ByteSearch.equalInConstantTime(loop.head.fields[scan.proxySecret].value.bytes(in: bytes), secret)
    }

    private func judgeForApp(_ incoming: borrowing Incoming) {
        let bytes = incoming.bytes
        let method = incoming.head.method.bytes(in: bytes).bindMemory(to: UInt8.self)
        let host = incoming.head.host.bytes(in: bytes).bindMemory(to: UInt8.self)
        let path = incoming.head.path.bytes(in: bytes).bindMemory(to: UInt8.self)
        let address = clientAddress(incoming)
        let facts = Facts(
            method: method.span, host: host.span, path: path.span, clientAddress: address,
            isPreflight: incoming.isPreflight, now: incoming.now)
        let route = site.snapshot.route(for: facts)
        current.route = route?.index ?? -1
        current.clientAddress = address
        let kept = route.map { site.routes[$0.index].keptTraits } ?? []
        if let refusal = RequestTarget.refusal(for: incoming.head.pathTraits, keeping: kept) {
            return refusePath(incoming, refusal)
        }
        guard let route else { return answerWithoutRoute(incoming) }
        if ViaLoop.isLooping(incoming.head, bytes, incoming.scan) {
            return refuse(incoming, RefusalAnswer(status: 508, reason: .upstreamFailed, verdict: .deny))
        }
        let resolved: Resolved
        switch resolve(incoming, route: route) {
        case .settled(let settled): resolved = settled
        case .waiting: return
        case .conflict: return refuseConflict(incoming)
        }
        let judgement = site.snapshot.decide(facts, route: route, credential: resolved.state)
        let verdict = judgement.verdict
        let reason = judgement.reason
        if route.forwardsAccessToken, verdict == .allow, waitsForToken(resolved.state, route, incoming) { return }
        noteShadow(judgement)
        noteAccess(incoming, state: resolved.state, verdict: verdict, reason: reason)
        if current.access != nil { noteRule(judgement) }
        let rule = judgement.ruleIndex
        // Another reading of the path may fall on another route, and the rule is one of that.
        if verdict != .allow { current.route = judgement.route?.index ?? -1 }
        guard let permit = judgement.permit() else {
            current.refusingRule = rule ?? -1
            if let wait = waitAfterRefusedKey(resolved, at: incoming.now) {
                let answer = RefusalAnswer(inline: .deny, .rateLimited, state: .none)
                return refuse(incoming, answer.repeatable(after: wait), resolved.state)
            }
            return refuseNavigation(
                incoming, RefusalAnswer(inline: verdict, reason ?? .ruleDenied, state: resolved.state), resolved.state,
                route)
        }
        forward(permit, incoming, resolved)
    }

    func clientAddress(_ incoming: borrowing Incoming) -> IPAddress? {
        ClientAddress.resolve(
            peer: peer, peerIsTrusted: incoming.peerIsTrusted, trusted: site.configuration.trustedProxies,
            head: incoming.head, bytes: incoming.bytes, scan: incoming.scan)
    }

    /// What the credentials of a request came to.
    struct Resolved {
        let state: CredentialState
        let removed: FieldMask
        var filtered = FieldMask()
        /// An API key that is not, or not any more, good.
        var isRefusedKey = false
    }

    enum ResolveOutcome {
        case settled(Resolved)
        /// The exchange waits for a reading.
        case waiting
        /// Two headers of ours differ.
        case conflict
    }

    /// Headers first; where none of them is ours by its shape, the session cookie; without one, the certificate.
    ///
    /// - Parameter plane: which of the two cookies counts.
    func resolve(_ incoming: borrowing Incoming, route: Route?, plane: SessionOrigin.Plane = .app) -> ResolveOutcome {
        guard CredentialResolver.hasCandidates(incoming.scan) else {
            return .settled(Resolved(state: certificate(incoming, route), removed: FieldMask()))
        }
        var resolver = CredentialResolver(
            head: incoming.head, bytes: incoming.bytes, scan: incoming.scan, site: site,
            sources: route?.credentialsFrom ?? .all,
            forwardsForeign: route.map { site.routes[$0.index].parameters.forwardCredential } ?? true,
            reader: loop.context.credentials, now: incoming.now, waited: incoming.waited, plane: plane)
        let resolution = resolver.resolve()
        switch resolution.outcome {
        case .settled(.none) where !resolution.hasFound:
            return .settled(
                Resolved(
                    state: certificate(incoming, route), removed: resolution.removed, filtered: resolution.filtered))
        case .settled(let state):
            let isGood = mayUseCookie(state, incoming, route)
            return .settled(
                Resolved(
                    state: isGood ? state : .none, removed: resolution.removed, filtered: resolution.filtered,
                    isRefusedKey: resolution.isRefusedKey))
        case .pending(let pending):
            waitFor(pending)
            return .waiting
        case .conflict: return .conflict
        }
    }

    /// A browser sends its cookies with a WebSocket that any page opens, and no CORS rule asks first: an Upgrade by
    /// cookie counts only from the route's own host or from one of `origins`.
    private func mayUseCookie(_ state: CredentialState, _ incoming: borrowing Incoming, _ route: Route?) -> Bool {
        // A check asks about another request than its own, and looks itself.
        guard incoming.head.upgrade != nil, current.shape != .check, case .identity(let identity) = state,
            case .session = identity.origin
        else { return true }
        return isFromOwnPage(incoming, route, host: incoming.head.host.bytes(in: incoming.bytes))
    }

    /// A browser shows its certificate to any page's WebSocket as well; a program says no `Origin`.
    private func certificate(_ incoming: borrowing Incoming, _ route: Route?) -> CredentialState {
        guard security != nil else { return .none }
        if incoming.head.upgrade != nil, incoming.scan.origins > 0,
            !isFromOwnPage(incoming, route, host: incoming.head.host.bytes(in: incoming.bytes))
        {
            return .none
        }
        return certificateState(at: incoming.now)
    }

    /// Whether the one `Origin` is the route's own host or one of its `origins`.
    func isFromOwnPage(_ incoming: borrowing Incoming, _ route: Route?, host: UnsafeRawBufferPointer) -> Bool {
        guard let route, incoming.scan.origins == 1 else { return false }
        let origin = incoming.head.fields[incoming.scan.origin].value.bytes(in: incoming.bytes)
        return UpgradeOrigin.isAllowed(origin, host: host, scheme: route.scheme, others: route.origins)
    }

    /// The head stays where it is and is read again when the reading is ready, or after `limit`.
    func waitFor(_ pending: PendingReading, atMost limit: TimeAmount = .milliseconds(150)) {
        errand &+= 1
        let mine = errand
        let handler = NIOLoopBound(self, eventLoop: loop.eventLoop)
        let eventLoop = loop.eventLoop
        let wake: @Sendable () -> Void = {
            let handler = handler.value
            guard handler.errand == mine else { return }
            handler.errand &+= 1
            handler.resumeResolving()
        }
        let timer = eventLoop.scheduleTask(in: limit, wake)
        // Even a reading that is ready at once is taken up after the bytes at hand have been put aside.
        pending.onReady {
            eventLoop.execute {
                timer.cancel()
                wake()
            }
        }
    }

    private func forward(_ permit: consuming Permit, _ incoming: borrowing Incoming, _ resolved: Resolved) {
        let route = permit.route
        guard let upstreamIndex = site.routes[route.index].parameters.upstream else {
            return refuse(incoming, RefusalAnswer(status: 404, reason: .noUpstream, verdict: .deny))
        }
        if let maximum = site.routes[route.index].parameters.maximumBody {
            if case .length(let length) = incoming.head.framing, length > maximum {
                return refuse(incoming, RefusalAnswer(status: 413, reason: .tooLarge, verdict: .deny))
            }
            current.bodyAllowance = maximum
        }
        guard
            let path = RequestRewriting.strip(
                site.routes[route.index].stripPrefix, from: incoming.head.path.bytes(in: incoming.bytes),
                ignoringCase: route.ignorePathCase)
        else { return refuse(incoming, RefusalAnswer(status: 400, reason: .pathRefused, verdict: .deny)) }
        guard var block = identityBlock(permit.identity, route, at: incoming.now) else {
            return refuse(incoming, RefusalAnswer(status: 503, reason: .storeUnavailable, verdict: .deny))
        }
        if route.forwardsAccessToken { block += accessTokenLine(permit.identity, route, at: incoming.now) }
        noteAllowed(permit.identity, route, incoming)
        let lease = Lease(permit: permit, pool: loop.pools[upstreamIndex])
        let rewriting = RequestRewriting(
            site: site, route: route, removed: resolved.removed, filtered: resolved.filtered, peer: peer,
            requestID: current.id)
        if let upgrade = incoming.head.upgrade { current.upgrade = Array(upgrade.bytes(in: incoming.bytes)) }
        judged.keep(incoming)
        requestBuffer.clear()
        hostPlace = rewriting.write(
            incoming, path: path,
            authority: lease.pool.authority(of: lease.endpoint, asked: !incoming.head.host.isEmpty),
            identityBlock: block,
            traceParent: (loop.random(), loop.random(), loop.random()), into: &requestBuffer)
        current.skippedBody = 0
        exchange.forward()
        dispatch(lease)
    }

    /// The header lines that tell the app who it is; nil when they cannot be made.
    func identityBlock(_ identity: Identity?, _ route: Route, at now: Timestamp) -> [UInt8]? {
        do {
            return try loop.identities.block(for: identity, on: route, signer: loop.context.assertions, at: now)
        } catch {
            loop.logger.error(
                "identity headers cannot be made",
                metadata: ["route": "\(route.name)", "error": "\(error)", "request_id": "\(current.id.text)"])
            return nil
        }
    }

    func noteAllowed(_ identity: Identity?, _ route: Route, _ incoming: borrowing Incoming) {
        loop.counters.countAllowed(route: route.index, shape: current.shape)
        guard let identity else { return }
        loop.context.decisions.allowed(identity, route: route.name, address: current.clientAddress, at: incoming.now)
    }

    /// So many of them are kept with a refusal.
    private static let longestShadow = 16

    /// Where a rule in the shadow would have decided otherwise, the log says so, and so does what is kept of a refusal.
    func noteShadow(_ judgement: borrowing Judgement) {
        let results = judgement.shadow
        guard !results.isEmpty, let route = judgement.route else { return }
        let verdict = judgement.verdict
        for result in results where result.verdict != verdict {
            loop.logger.notice(
                result.verdict == .allow ? "a shadow rule would have allowed" : "a shadow rule would have refused",
                metadata: [
                    "route": "\(route.name)", "rule": "\(result.ruleName ?? String(result.ruleIndex))",
                    "verdict": "\(result.verdict.rawValue)", "enforced": "\(verdict.rawValue)",
                    "request_id": "\(current.id.text)",
                ])
            guard verdict != .allow, current.refusingShadow.count < Self.longestShadow else { continue }
            current.refusingShadow.append(
                ShadowVerdict(
                    rule: result.ruleIndex, ruleName: result.ruleName, verdict: result.verdict.rawValue,
                    reason: result.reason?.rawValue))
        }
    }
}
