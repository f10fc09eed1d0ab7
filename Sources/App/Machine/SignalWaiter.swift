internal import Dispatch
internal import Glibc

/// Waits for the signals that end the server.
enum SignalWaiter {
    /// Returns when one of `signals` has come. From the call on they no longer end the process by themselves.
    static func wait(for signals: [Int32]) async -> Int32 {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        let sources = signals.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        for await number in stream { return number }
        return 0
    }
}
