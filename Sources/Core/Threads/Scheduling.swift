internal import CLinux

/// How the kernel shares processors among threads.
public enum Scheduling {
    /// Asks for short turns for the calling thread: they come sooner, and whoever runs when it wakes gives way, whatever
    /// else the process computes. Its share of the processor stays what it is.
    ///
    /// Linux has had this since 6.12 (`sched_setattr(2)`: `sched_runtime` of a thread with the ordinary policy). Kernels
    /// before take the call and change nothing; a sandbox may refuse it, which changes nothing either.
    ///
    /// - Parameter turn: from 100 µs to 100 ms; the kernel's own is some 3 ms.
    /// - Returns: whether the kernel took it.
    @discardableResult
    public static func takeTurns(of turn: Duration) -> Bool {
        let (seconds, attoseconds) = turn.components
        return gatehouse_set_turn(UInt64(clamping: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)) == 0
    }
}
