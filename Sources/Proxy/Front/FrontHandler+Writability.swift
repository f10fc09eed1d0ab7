import Core
import NIOCore

/// What it means for the times of an exchange that its client takes no more bytes, or takes them again.
extension FrontHandler {
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        upstream?.setPaused(!isWritable)
        switch exchange.state {
        case .idle where isWritable:
            clientDeadline = loop.ticks + (exchange.isLast ? site.patience.lingering : site.patience.keepAlive)
            if input != nil { resumeInput() }
        case .resolving, .responding, .forwarding:
            waitForAnswer(isWritable)
        case .idle, .collecting:
            clientDeadline = loop.ticks + site.patience.body
            noteUntaken()
        case .closed where isWritable:
            // The rest is on its way, and has its time once more: not all the time there is.
            clientDeadline = loop.ticks + site.patience.halfClosed
        // These have an end already, whatever the client takes; whoever is idle in a tunnel has a time of its own.
        case .draining, .lingering, .closed, .tunnelling: break
        }
        context.fireChannelWritabilityChanged()
    }

    /// While the client takes nothing it is waited for, otherwise whoever makes the answer.
    private func waitForAnswer(_ clientIsTaking: Bool) {
        if clientIsTaking {
            clientDeadline = inputIsClosed ? loop.ticks + site.patience.halfClosed : .max
            if upstream != nil { upstreamDeadline = loop.ticks + idleTimeout }
        } else {
            clientDeadline = loop.ticks + site.patience.body
            upstreamDeadline = .max
        }
        noteUntaken()
    }

    /// A client that has sent its last byte is still taking what we send.
    func noteProgress() {
        if inputIsClosed { clientDeadline = loop.ticks + site.patience.halfClosed }
    }

    /// To be called when the client is given time to take what waits for it.
    func noteUntaken() {
        untaken = bytesUntaken
        reader = SlowReader()
    }

    /// Whether the client, whose time is over, has taken what waits for it at the rate that bodies have to have; then it
    /// has as much time again. A slow line takes minutes for what is written to it at once.
    func isTakingItsAnswer() -> Bool {
        let patience = exchange.state == .closed ? site.patience.halfClosed : site.patience.body
        guard isBeingRead(within: patience) ?? hasTakenEnough(in: patience) else { return false }
        clientDeadline = loop.ticks + patience
        return true
    }

    /// For those of whom the kernel tells nothing but that there is room again.
    private func hasTakenEnough(in patience: Int64) -> Bool {
        let left = bytesUntaken
        let due = max(1, site.configuration.limits.minimumBodyRate * patience / 1000)
        guard left > 0, Int64(untaken - left) >= due else { return false }
        untaken = left
        return true
    }

    /// Bytes that the kernel has not taken for the client. Streams do not tell.
    private var bytesUntaken: Int {
        guard !isStream, let options = channelContext?.channel.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }
}
