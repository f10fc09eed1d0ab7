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
        written.futureResult.assumeIsolated().whenComplete { [self] _ in close(promise: nil) }
        writeAndFlush(NIOAny(ByteBuffer()), promise: written)
    }
}
