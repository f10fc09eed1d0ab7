import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// Between the client and the upstream: the way there and the way back.
extension FrontHandler {
    var idleTimeout: Int64 {
        guard let upstreamIndex = forwardedTo else { return .max / 4 }
        return site.configuration.upstreams[upstreamIndex].idleTimeout.wholeMilliseconds
    }

    private var forwardedTo: Int? {
        guard site.routes.indices.contains(current.route) else { return nil }
        return site.routes[current.route].parameters.upstream
    }

    /// The request is complete on this side; the upstream may answer.
    var requestIsComplete: Bool { exchange.requestEnded }

    // MARK: The way there

    func dispatch(_ lease: consuming Lease) {
        let endpoint = lease.endpoint
        let pool = lease.pool
        self.lease = consume lease
        // What may become a tunnel gets a connection of its own, with small buffers.
        if current.upgrade == nil, let handler = pool.takeIdle(endpoint) {
            send(on: handler)
        } else {
            connect(pool, endpoint)
        }
    }

    private func connect(_ pool: UpstreamPool, _ endpoint: Int) {
        errand &+= 1
        let mine = errand
        if current.access != nil { noteServer() }
        pool.connect(endpoint, forTunnel: current.upgrade != nil) { [self] result in
            switch result {
            case .success(let handler):
                guard mine == errand, exchange.state != .closed else {
                    return pool.giveBack(handler, reusable: true)
                }
                send(on: handler)
                handler.flush()
                resumeInput()
            case .failure(let error):
                guard mine == errand else { return }
                connectFailed(error)
            }
        }
    }

    private func connectFailed(_ error: any Error) {
        guard let pool = lease?.pool else { return }
        let kind = UpstreamFailure(connecting: error)
        var metadata: Logger.Metadata = [
            "upstream": "\(pool.description.name)", "error": "\(error)", "request_id": "\(current.id.text)",
        ]
        if kind == .tls {
            metadata["reason"] = "\(UpstreamTLS.explanation(of: error))"
            loop.logger.warning("an address of an upstream cannot be trusted", metadata: metadata)
        } else {
            loop.logger.info("an address of an upstream cannot be reached", metadata: metadata)
        }
        guard lease?.failOver() == true, let endpoint = lease?.endpoint else {
            upstreamFailed(kind, mayRetry: false)
            return flushAnswer()
        }
        loop.counters.countUpstreamError(pool.description.name, kind)
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
        clientDeadline = loop.ticks + site.configuration.limits.bodyTimeout.wholeMilliseconds
    }

    private func awaitAnswer() {
        clientDeadline = .max
        guard case .forwarding(_, .awaited) = exchange.state, let upstreamIndex = forwardedTo else { return }
        upstreamDeadline =
            loop.ticks + site.configuration.upstreams[upstreamIndex].firstByteTimeout.wholeMilliseconds
    }

    /// Takes what is there of the request body.
    ///
    /// - Returns: whether it makes sense to look at the rest.
    func takeBody(_ buffer: inout ByteBuffer) -> Bool {
        switch exchange.state {
        case .collecting: return collectBody(&buffer)
        case .draining: return drainBody(&buffer)
        case .forwarding(.streaming, _): return passBody(&buffer)
        case .idle, .resolving, .responding, .forwarding(.ended, _), .tunnelling, .closed: return false
        }
    }

    private func passBody(_ buffer: inout ByteBuffer) -> Bool {
        // A connection is still being made: whoever sends waits.
        guard let upstream else { return false }
        let before = buffer.readableBytes
        loop.scratch.clear()
        let relay = BodyRelay(chunked: body.isChunked, hygiene: site.hygiene)
        let passed = relay.pass(&buffer, reader: &body, allowance: &current.bodyAllowance, out: &loop.scratch)
        if loop.scratch.readableBytes > 0, passed.outcome != .tooLarge { upstream.write(loop.scratch) }
        if let piece = passed.piece { upstream.write(piece) }
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
            exchange.closed()
            abort()
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
        loop.scratch.clear()
        ResponseRewriting(head: head, bytes: bytes, site: site).write(
            framing: .none, closes: false, into: &loop.scratch)
        write(loop.scratch)
    }

    /// The final head; `rest` is what came behind it and stays for `upstreamSent`.
    func upstreamAnswered(
        _ head: ResponseHead, _ bytes: UnsafeRawBufferPointer, rest: UnsafeRawBufferPointer, body: BodyReader
    ) {
        exchange.responseBegan()
        current.status = head.status
        if current.access != nil { noteFirstByte() }
        upstreamDeadline = loop.ticks + idleTimeout
        let framing = ResponseRewriting.framing(of: head, oldVersion: current.isOldVersion)
        current.answersChunked = framing == .chunked && !body.isEmpty
        if framing == .untilClose { exchange.closeAfterwards() }
        let closes = !exchange.keepsAlive || exchange.isLast
        loop.scratch.clear()
        let rewriting = ResponseRewriting(head: head, bytes: bytes, site: site)
        rewriting.write(
            framing: framing, closes: closes, keepAliveForOld: current.isOldVersion && !closes, into: &loop.scratch)
        headIsPending = true
    }

    /// Body bytes of the answer; `body` is the upstream's framing.
    func upstreamSent(_ buffer: inout ByteBuffer, body: inout BodyReader) -> UpstreamBodyOutcome {
        if !headIsPending { loop.scratch.clear() }
        headIsPending = false
        var allowance = UInt64.max
        let relay = BodyRelay(chunked: current.answersChunked, hygiene: site.hygiene)
        let passed = relay.pass(&buffer, reader: &body, allowance: &allowance, out: &loop.scratch)
        if loop.scratch.readableBytes > 0 { write(loop.scratch) }
        if let piece = passed.piece { write(piece) }
        upstreamDeadline = loop.ticks + idleTimeout
        noteProgress()
        switch passed.outcome {
        case .more:
            flushAnswer()
            if !clientIsWritable { upstream?.setPaused(true) }
            return .more
        case .ended: return .ended
        case .invalid, .tooLarge: return .invalid
        }
    }

    /// The close was the end of the body that was agreed.
    func upstreamClosedBody() {
        guard current.answersChunked else { return }
        loop.scratch.clear()
        ChunkedEncoder.writeEnd(into: &loop.scratch)
        write(loop.scratch)
    }

    /// The answer is complete and the connection given back.
    func upstreamEnded() {
        upstream = nil
        lease = nil
        finishTiming()
        let action = exchange.answered(saidToStay: true)
        flushAnswer()
        perform(action)
        if action == .next || action == .drain { resumeInput() }
    }

    /// - Parameter mayRetry: the connection had been used before and died without a byte of an answer.
    func upstreamFailed(_ kind: UpstreamFailure, mayRetry: Bool) {
        upstream = nil
        if case .tunnelling = exchange.state { return tunnelLost() }
        guard let pool = lease?.pool else { return }
        if mayRetry, current.isRepeatable, exchange.state == .forwarding(.ended, .awaited), !current.wasRetried,
            let endpoint = lease?.endpoint
        {
            current.wasRetried = true
            return connect(pool, endpoint)
        }
        noteFailure(reason: .upstreamFailed, kind)
        loop.counters.countUpstreamError(pool.description.name, kind)
        loop.logger.warning(
            "an upstream failed",
            metadata: [
                "upstream": "\(pool.description.name)", "kind": "\(kind.label)", "request_id": "\(current.id.text)",
            ])
        lease = nil
        switch exchange.upstreamFailed() {
        case .answer:
            answerFailure(
                status: kind.status, reason: .upstreamFailed, detail: "The application did not answer properly.")
            resumeInput()
        case .abort, .close: abort()
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
        lease = nil
        upstreamDeadline = .max
        if let upstream {
            self.upstream = nil
            upstream.abandon()
        }
    }
}

extension UpstreamFailure {
    /// Why a connection could not be made.
    init(connecting error: any Error) {
        if case ChannelError.connectTimeout? = error as? ChannelError {
            self = .connectTimeout
        } else {
            self = UpstreamTLS.isCause(of: error) ? .tls : .connect
        }
    }
}

/// How far the body of an answer has come.
enum UpstreamBodyOutcome {
    case more, ended, invalid
}
