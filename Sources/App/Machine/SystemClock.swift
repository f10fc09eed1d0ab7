public import Core
internal import Glibc

/// The machine's clock: the only place that reads it.
public struct SystemClock: WallClock {
    /// Reads `CLOCK_REALTIME`.
    public init() {}

    public func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
