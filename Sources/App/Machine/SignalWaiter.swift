internal import Dispatch

/// Takes signals in the place of their usual effect.
enum SignalWaiter {
    /// The signals as they come. When this returns they no longer end the process by themselves.
    static func signals(_ numbers: [Int32]) -> AsyncStream<Int32> {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        // Not ignored in the meantime: a signal that came before the source has put its own handler in place would be lost,
        // and whoever sent it would wait for ever.
        let registered = DispatchGroup()
        // Touched once more, when the stream has ended; cancelling may come from any thread.
        nonisolated(unsafe) let sources = numbers.map { number in
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield(number) }
            registered.enter()
            source.setRegistrationHandler { registered.leave() }
            source.resume()
            return source
        }
        // A thread of Dispatch's puts the handlers in place, which a busy machine may leave for later.
        registered.wait()
        continuation.onTermination = { _ in
            for source in sources { source.cancel() }
        }
        return stream
    }
}
