import Logging
import NIOCore
import Synchronization

/// What may be said over and over, said at most once a minute for each subject. Bounded: a stranger who makes up
/// subjects makes it silent, not large.
struct RareLog {
    private var told: [String: Int64] = [:]

    private static let silence: Int64 = 60_000
    private static let capacity = 256

    /// - Parameter now: milliseconds of the monotonic clock.
    /// - Returns: whether it may be said.
    mutating func mayTell(_ subject: String, at now: Int64) -> Bool {
        if let last = told[subject], now - last < Self.silence { return false }
        if told.count >= Self.capacity {
            told = told.filter { now - $0.value < Self.silence }
            guard told.count < Self.capacity else { return false }
        }
        told[subject] = now
        return true
    }
}

extension ProxyLoop {
    /// Logs, unless the same was said of the same subject within the last minute.
    func logRarely(
        _ subject: String, _ level: Logger.Level, _ message: Logger.Message, _ metadata: () -> Logger.Metadata
    ) {
        let now = Self.monotonicMilliseconds()
        guard shared.rareLog.withLock({ $0.mayTell(subject, at: now) }) else { return }
        logger.log(level: level, message, metadata: metadata())
    }

    /// A peer as a log line names it.
    func describe(_ address: SocketAddress?) -> String {
        guard let address else { return "unknown" }
        return address.ipAddress ?? "unix"
    }
}
