import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// Between the client and the upstream: the way there and the way back.
extension FrontHandler {
    var idleTimeout: Int64 {
        site.routes.indices.contains(current.route) ? site.routes[current.route].idleTimeout : .max / 4
    }

    /// The request is complete on this side; the upstream may answer.
    var requestIsComplete: Bool { exchange.requestEnded }

    /// In bytes: heads that are larger are rare.
    private static let keptForHeads = 4096

    // MARK: The way there

    func dispatch(_ lease: consuming Lease) {
        let endpoint = lease.endpoint
        let pool = lease.pool
        self.lease = consume lease
        guard endpoint >= 0 else { return upstreamFailed(.unhealthy, retry: .never) }
        // What may become a tunnel gets a connection of its own, with small buffers.
        if current.upgrade == nil, let handler = pool.takeIdle(endpoint) {
            send(on: handler)
        } else {
            connect(pool, endpoint)
        }
    }

    private func connect(_ pool: UpstreamPool, _ endpoint: Int) {
        if current.access != nil { noteServer() }
        let made = UpstreamAttempt { [self] outcome in
            attempt = nil
            switch outcome {
            case .success(let handler):
                guard exchange.state != .closed else { return pool.giveBack(handler, reusable: true) }
                send(on: handler)
                handler.flush()
                resumeInput()
            case .failure(let error): connectFailed(error)
            }
        }
        attempt = made
        pool.connect(endpoint, for: made, forTunnel: current.upgrade != nil)
    }

    /// Nobody waits for a connection any more.
    func cancelAttempt() {
        attempt?.cancel()
        attempt = nil
    }

    private func connectFailed(_ error: any Error) {
        guard let pool = lease?.pool, let failed = lease?.endpoint else { return }
        let kind = UpstreamFailure(connecting: error)
        // An address that was not known is known by now.
        if kind == .resolve, lease?.failOver() == true { return goOn(with: pool) }
        noteUnreachable(pool.server(failed), kind, error)
        // No other server would be reached either.
        guard kind != .noDescriptor else { return unreachable(kind) }
        if lease?.failOver() == true {
            loop.counters.countUpstreamError(pool.description.name, kind)
            return goOn(with: pool)
        }
        guard kind != .resolve, !current.hasLookedAgain, !pool.servers.isFixed else { return unreachable(kind) }
        // The name may mean another server by now.
        current.hasLookedAgain = true
        let wait = UpstreamAttempt { [self] _ in
            attempt = nil
            guard lease?.failOver() == true else { return unreachable(kind) }
            loop.counters.countUpstreamError(pool.description.name, kind)
            goOn(with: pool)
        }
        attempt = wait
        guard !pool.awaitNames(for: wait, failure: { error }) else { return }
        cancelAttempt()
        unreachable(kind)
    }

    private func noteUnreachable(_ server: UpstreamServer, _ kind: UpstreamFailure, _ error: any Error) {
        var metadata: Logger.Metadata = [
            "upstream": "\(lease?.pool.description.name ?? "")", "server": "\(server.label)", "kind": "\(kind.label)",
            "error": "\(error)", "request_id": "\(current.id.text)",
        ]
        if kind == .unsupported {
            metadata["reason"] = "a protocol cannot be switched over HTTP/2: Upgrade needs an http or https address"
            metadata["error"] = nil
            loop.logger.warning("a server of an upstream cannot take an Upgrade", metadata: metadata)
        } else if kind == .tls {
            metadata["reason"] = "\(UpstreamTLS.explanation(of: error))"
            loop.logger.warning("a server of an upstream cannot be trusted", metadata: metadata)
        } else {
            loop.logger.info("a server of an upstream cannot be reached", metadata: metadata)
        }
    }

    private func unreachable(_ kind: UpstreamFailure) {
        upstreamFailed(kind, retry: .never)
        flushAnswer()
    }

    /// With the server that the lease has come to.
    private func goOn(with pool: UpstreamPool) {
        guard let endpoint = lease?.endpoint else { return }
        rename(to: pool.authority(of: endpoint))
        if current.upgrade == nil, let handler = pool.takeIdle(endpoint) {
            send(on: handler)
            handler.flush()
            resumeInput()
        } else {
            connect(pool, endpoint)
        }
    }

    /// Another server of the same upstream may have another name.
    private func rename(to authority: [UInt8]?) {
        guard let authority else { return }
        var renamed = ByteBuffer()
        let start = requestBuffer.readerIndex
        let end = hostPlace.offset + hostPlace.count
        guard let before = requestBuffer.getSlice(at: start, length: hostPlace.offset),
            let after = requestBuffer.getSlice(at: start + end, length: requestBuffer.readableBytes - end)
        else { return }
        renamed.writeImmutableBuffer(before)
        renamed.writeBytes(authority)
        renamed.writeImmutableBuffer(after)
        hostPlace.count = authority.count
        requestBuffer = renamed
    }

    private func send(on handler: UpstreamHandler) {
        upstream = handler
        if current.access != nil { noteServer() }
        handler.begin(for: self, method: current.method)
        handler.write(requestBuffer)
        if exchange.requestEnded { awaitAnswer() } else { awaitBody() }
    }

    private func awaitBody() {
        // Who is being answered already is in a conversation, and may listen for long before it speaks again.
        let isInConversation = exchange.state == .forwarding(.streaming, .streaming)
        clientDeadline = loop.ticks + (isInConversation ? idleTimeout : site.patience.body)
    }

    private func awaitAnswer() {
        clientDeadline = .max
        guard case .forwarding(_, .awaited) = exchange.state, site.routes.indices.contains(current.route)
        else { return }
        upstreamDeadline = loop.ticks + site.routes[current.route].firstByteTimeout
    }

    /// Takes what is there of the request body.
    ///
    /// - Returns: whether it makes sense to look at the rest.
    func takeBody(_ buffer: inout ByteBuffer) -> Bool {
        switch exchange.state {
        case .collecting: return collectBody(&buffer)
        case .draining: return drainBody(&buffer)
        case .forwarding(.streaming, _): return passBody(&buffer)
        case .idle, .resolving, .responding, .forwarding(.ended, _), .tunnelling, .lingering, .closed: return false
        }
    }

    private func passBody(_ buffer: inout ByteBuffer) -> Bool {
        // A connection is still being made: whoever sends waits.
        guard let upstream else { return false }
        let before = buffer.readableBytes
        if before > 0 { current.bodyWasPassed = true }
        loop.clearScratch()
        let relay = BodyRelay(chunked: body.isChunked, hygiene: site.hygiene)
        let passed = relay.pass(&buffer, reader: &body, allowance: &current.bodyAllowance, out: &loop.scratch)
        switch passed.outcome {
        case .more, .ended:
            if loop.scratch.readableBytes > 0 { upstream.write(loop.scratch) }
            if let piece = passed.piece { upstream.write(piece) }
        // What was made of a body that is refused may lack the head of its chunk, and must not go anywhere.
        case .invalid, .tooLarge: break
        }
        switch passed.outcome {
        case .more:
            if before > 0 { awaitBody() }
            current.bodyReceived &+= Int64(before - buffer.readableBytes)
            if !upstream.isWritable { pauseReading(true) }
            return false
        case .ended:
            exchange.requestBodyEnded()
            awaitAnswer()
            return false
        case .invalid(let refusal):
            bodyRefused(status: refusal.status, reason: refusal.reason, malformed: true)
            return false
        case .tooLarge:
            bodyRefused(status: 413, reason: .tooLarge, malformed: false)
            return false
        }
    }

    private func bodyRefused(status: Int, reason: Reason?, malformed: Bool) {
        noteFailure(reason: reason)
        giveUpUpstream()
        guard case .answer = exchange.upstreamFailed() else { return abort() }
        exchange.closeAfterwards()
        answerFailure(status: status, reason: reason, detail: "The request body was refused.", malformed: malformed)
    }

    private func drainBody(_ buffer: inout ByteBuffer) -> Bool {
        guard let measure = buffer.withUnsafeReadableBytes({ body.measure($0) }) else {
            perform(exchange.bodyInvalid())
            return false
        }
        let taken = buffer.readableBytes
        buffer.withUnsafeReadableBytes { bytes in
            var position = 0
            while position < measure.consumed {
                switch body.next(UnsafeRawBufferPointer(rebasing: bytes[position...])) {
                case .data(_, let consumed): position += max(1, consumed)
                case .needMore(let consumed), .end(let consumed):
                    position += consumed
                    return
                case .invalid: return
                }
            }
        }
        buffer.moveReaderIndex(forwardBy: measure.consumed)
        perform(exchange.drained(taken, ended: measure.end))
        return exchange.state == .idle
    }

    func upstreamWritabilityChanged(_ isWritable: Bool) {
        if case .tunnelling = exchange.state { return isWritable ? resumeInput() : pauseReading(true) }
        guard case .forwarding(.streaming, _) = exchange.state else { return }
        if isWritable {
            upstreamDeadline = .max
            awaitBody()
            resumeInput()
        } else {
            clientDeadline = .max
            upstreamDeadline = loop.ticks + idleTimeout
            pauseReading(true)
        }
    }

    // MARK: The way back

    /// 1xx but 101 (RFC 9110 section 15.2).
    func upstreamInformed(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer) {
        guard !current.isOldVersion, case .forwarding(_, .awaited) = exchange.state else { return }
        loop.clearScratch()
        ResponseRewriting(bytes: bytes, site: site).write(head, framing: .none, closes: false, into: &loop.scratch)
        write(loop.scratch)
    }

    /// The final head. It goes out with the first of the body, for which `upstreamSent` is called in any case.
    func upstreamAnswered(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, body: BodyReader) {
        exchange.responseBegan()
        if exchange.state == .forwarding(.streaming, .streaming), upstream?.isWritable == true { awaitBody() }
        current.status = head.status
        if current.access != nil { noteFirstByte() }
        upstreamDeadline = loop.ticks + idleTimeout
        let framing = ResponseRewriting.framing(of: head, oldVersion: current.isOldVersion)
        current.answersChunked = framing == .chunked && !body.isEmpty
        if framing == .untilClose { exchange.closeAfterwards() }
        let closes = !exchange.keepsAlive || exchange.isLast
        loop.clearScratch()
        ResponseRewriting(bytes: bytes, site: site).write(
            head, framing: framing, closes: closes, keepAliveForOld: current.isOldVersion && !closes,
            into: &loop.scratch)
        headIsPending = true
    }

    /// Body bytes of the answer; `body` is the upstream's framing.
    func upstreamSent(_ buffer: inout ByteBuffer, body: inout BodyReader) -> UpstreamBodyOutcome {
        let beginsAnswer = headIsPending
        if !beginsAnswer { loop.clearScratch() }
        headIsPending = false
        var allowance = UInt64.max
        let relay = BodyRelay(chunked: current.answersChunked, hygiene: site.hygiene)
        let passed = relay.pass(&buffer, reader: &body, allowance: &allowance, out: &loop.scratch)
        if case .invalid(let refusal) = passed.outcome {
            // Nothing of the answer is out, so there can be a better one.
            if beginsAnswer { exchange.responseWithdrawn() }
            return .invalid(refusal)
        }
        if loop.scratch.readableBytes > 0 { write(loop.scratch) }
        if let piece = passed.piece { write(piece) }
        upstreamDeadline = loop.ticks + idleTimeout
        noteProgress()
        switch passed.outcome {
        case .ended: return .ended
        // There is no bound for it to be too large for.
        case .more, .tooLarge, .invalid:
            flushAnswer()
            if !clientIsWritable { upstream?.setPaused(true) }
            return .more
        }
    }

    /// The close was the end of the body that was agreed.
    func upstreamClosedBody() {
        guard current.answersChunked else { return }
        loop.clearScratch()
        ChunkedEncoder.writeEnd(into: &loop.scratch)
        write(loop.scratch)
    }

    /// The answer is complete and the connection given back.
    func upstreamEnded() {
        upstream = nil
        lease = nil
        // The storage is used again for the next request, but a large one would be kept for as long as the connection is
        // idle.
        if requestBuffer.storageCapacity > Self.keptForHeads { requestBuffer = ByteBuffer() }
        finishTiming()
        let action = exchange.answered(saidToStay: true)
        flushAnswer()
        perform(action)
        if action == .next || action == .drain || action == .endAndDrain { resumeInput() }
    }

    /// The one time that a request may be sent again.
    private func mayRepeat(_ retry: UpstreamRetry) -> Bool {
        guard !current.wasRetried else { return false }
        switch retry {
        case .never: return false
        case .whenIdempotent: return current.isRepeatable && exchange.state == .forwarding(.ended, .awaited)
        case .always:
            guard case .forwarding(_, .awaited) = exchange.state else { return false }
            return !current.bodyWasPassed
        }
    }

    /// - Parameter code: what was wrong with an answer that is malformed.
    func upstreamFailed(_ kind: UpstreamFailure, retry: UpstreamRetry, code: String? = nil) {
        upstream = nil
        if case .tunnelling = exchange.state { return tunnelLost() }
        guard let pool = lease?.pool else { return }
        if mayRepeat(retry) {
            current.wasRetried = true
            lease?.retry()
            if let endpoint = lease?.endpoint {
                rename(to: pool.authority(of: endpoint))
                return connect(pool, endpoint)
            }
        }
        noteFailure(reason: .upstreamFailed, kind)
        loop.counters.countUpstreamError(pool.description.name, kind)
        var metadata: Logger.Metadata = [
            "upstream": "\(pool.description.name)", "kind": "\(kind.label)", "request_id": "\(current.id.text)",
        ]
        if let code {
            metadata["code"] = "\(code)"
            current.access?.code = code
        }
        let place = lease?.endpoint ?? -1
        let server = place >= 0 ? pool.server(place).label : nil
        if let server { metadata["server"] = "\(server)" }
        loop.logger.warning("an upstream failed", metadata: metadata)
        lease = nil
        switch exchange.upstreamFailed() {
        case .answer:
            answerFailure(
                status: kind.status, reason: .upstreamFailed, detail: "The application did not answer properly.")
            resumeInput()
        case .abort:
            finishTiming()
            abort()
        case .close: abort()
        case .nothing: break
        }
    }

    func upstreamTimedOut() {
        guard let upstream else { return }
        if case .tunnelling = exchange.state { return tunnelTimedOut() }
        let isAwaited = exchange.state == .forwarding(.ended, .awaited)
        upstream.fail(isAwaited ? .firstByteTimeout : .idleTimeout)
    }

    /// Nobody wants the upstream's answer any more.
    func giveUpUpstream() {
        errand &+= 1
        cancelAttempt()
        lease = nil
        upstreamDeadline = .max
        if let upstream {
            self.upstream = nil
            upstream.abandon()
        }
    }
}
