import Core
import HTTPWire
import Logging
import NIOCore

/// After a 101: bytes both ways as they come, until both sides have ended.
extension FrontHandler {
    /// The client asked for exactly this protocol (names are compared without case, RFC 9110 section 7.8).
    func asked(for token: UnsafeRawBufferPointer) -> Bool {
        guard exchange.state == .forwarding(.ended, .awaited), let upgrade = current.upgrade else { return false }
        return upgrade.withUnsafeBytes { ASCIIText.equalIgnoringCase($0, token) }
    }

    /// The 101 that was asked for.
    func upstreamSwitched(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer) {
        exchange.switched()
        current.status = head.status
        loop.clearScratch()
        ResponseRewriting(bytes: bytes, site: site).write(head, framing: .none, closes: false, into: &loop.scratch)
        write(loop.scratch)
        if current.access != nil { noteFirstByte() }
        finishTiming(isTunnel: true)
        // An idle tunnel holds nothing but its two connections and what it is judged by.
        requestBuffer = ByteBuffer()
        collected = []
        current.upgrade = nil
        clientDeadline = .max
        noteTunnelProgress()
        channelContext?.receiveInPassingBuffers()
        loop.watch(self)
    }

    /// What the client sent behind its request goes first.
    func tunnelBegan() {
        resumeInput()
        if inputIsClosed { perform(exchange.inputClosed()) }
    }

    func passRaw(_ buffer: inout ByteBuffer) {
        guard let upstream, let piece = buffer.readSlice(length: buffer.readableBytes), piece.readableBytes > 0 else {
            return
        }
        current.bodyReceived &+= Int64(piece.readableBytes)
        upstream.write(piece)
        upstream.flush()
        noteTunnelProgress()
        if !upstream.isWritable { pauseReading(true) }
    }

    func tunnelReceived(_ buffer: ByteBuffer) {
        guard buffer.readableBytes > 0 else { return }
        write(buffer)
        flushAnswer()
        noteTunnelProgress()
        if !clientIsWritable { upstream?.setPaused(true) }
    }

    private func noteTunnelProgress() {
        upstreamDeadline = loop.ticks + idleTimeout
        if exchange.state != .tunnelling(.open) { clientDeadline = loop.ticks + site.patience.halfClosed }
    }

    /// The upstream's last byte has come.
    func upstreamEndedTunnel() {
        let action = exchange.upstreamClosed()
        if action == .close, let upstream {
            self.upstream = nil
            lease = nil
            upstream.finish()
        }
        perform(action)
    }

    /// The upstream's connection is gone.
    func tunnelLost() {
        lease = nil
        guard exchange.upstreamFailed() == .close else { return }
        perform(.close)
    }

    func tunnelTimedOut() {
        loop.logger.info("a tunnel was idle for too long", metadata: ["request_id": "\(current.id.text)"])
        abort()
    }
}
