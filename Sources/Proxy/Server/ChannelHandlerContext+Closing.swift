import NIOCore

extension ChannelHandlerContext {
    /// Closes the channel once the kernel has taken what was written: a plain close drops the rest.
    ///
    /// - Parameter outputIsEnding: the sending side is being ended already, behind what was written; with the
    ///   receiving side ended too, the channel closes then by itself.
    func closeBehindWrites(outputIsEnding: Bool) {
        let waiting = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard waiting > 0 else { return close(promise: nil) }
        guard !outputIsEnding else { return }
        let written = eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [self] _ in closeOnceEmpty() }
        writeAndFlush(NIOAny(ByteBuffer()), promise: written)
    }

    // TLS calls an empty write done while what stands before it is still on its way, so the channel has to be asked.
    private func closeOnceEmpty() {
        let waiting = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard waiting > 0, channel.isActive else { return close(promise: nil) }
        _ = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { [self] in closeOnceEmpty() }
    }
}
