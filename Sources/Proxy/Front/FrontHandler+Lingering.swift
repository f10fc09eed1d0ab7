import NIOCore

/// The end of a connection whose client may still be sending. Closed with bytes unread it would be reset, and the client's
/// kernel may drop an answer that nobody has read yet. So our side is ended, nothing more is read, and the close comes a
/// moment later, or when the client ends its side.
extension FrontHandler {
    /// How many of a loop's connections may wait so; further ones are closed at once. Each of them holds a descriptor and
    /// what the kernel has taken for it, and little memory of ours.
    static let mostLingering = 256

    /// Goes on reading, and throws it away.
    func drain() {
        clientDeadline = loop.ticks + min(5_000, site.patience.body)
        upstreamDeadline = .max
        pauseReading(false)
    }

    func linger() {
        // A stream's end is a frame of its own, and TLS waits for the client's goodbye by itself.
        guard !isStream, role.tls == nil, !inputIsClosed, loop.lingering < Self.mostLingering else {
            return closeWhenWritten()
        }
        if !isLingering {
            isLingering = true
            loop.lingering += 1
        }
        endOutput()
        pauseReading(true)
        clientDeadline = loop.ticks + site.patience.lingering
        upstreamDeadline = .max
    }

    func endLingering() {
        guard isLingering else { return }
        isLingering = false
        loop.lingering -= 1
    }

    /// The client sees that nothing more comes, behind what was written.
    func endOutput() {
        flushAnswer()
        guard !outputIsEnding else { return }
        outputIsEnding = true
        channelContext?.close(mode: .output, promise: nil)
    }

    func closeWhenWritten() {
        flushAnswer()
        clientDeadline = loop.ticks + site.patience.halfClosed
        noteUntaken()
        guard !isStream else {
            channelContext?.close(mode: .output, promise: nil)
            return
        }
        channelContext?.closeBehindWrites(outputIsEnding: outputIsEnding)
    }
}
