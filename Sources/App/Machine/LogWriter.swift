internal import Core
internal import Glibc
internal import Synchronization

/// Writes lines from a thread of its own: whoever logs never waits for a pipe that nobody reads or for a disk. What
/// does not fit into its bounded memory is counted and left out, whole lines at a time.
final class LogWriter: Sendable {
    private struct State {
        var pending: [UInt8] = []
        /// Lines that were left out since the last one that was not.
        var lost = 0
        var isWriting = false
    }

    private let descriptor: Int32
    private let capacity: Int
    private let pool = WorkerPool(name: "gh-log", threads: 1, capacity: 2)
    private let state = Mutex(State())
    private let lostEver = Atomic<Int>(0)

    /// - Parameter capacity: bytes that may wait.
    init(descriptor: Int32, capacity: Int = 4 << 20) {
        self.descriptor = descriptor
        self.capacity = capacity
    }

    /// - Parameters:
    ///   - line: with its end.
    ///   - notice: the line that says how many were left out before this one.
    func write(_ line: String, notice: (_ lost: Int) -> String) {
        let mustStart = state.withLock { state in
            guard state.pending.count + line.utf8.count <= capacity else {
                state.lost += 1
                lostEver.add(1, ordering: .relaxed)
                return false
            }
            if state.lost > 0 {
                state.pending.append(contentsOf: notice(state.lost).utf8)
                state.lost = 0
            }
            state.pending.append(contentsOf: line.utf8)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart, !pool.submit({ self.drain() }) { state.withLock { $0.isWriting = false } }
    }

    /// Lines that were left out since the start.
    var lost: Int { lostEver.load(ordering: .relaxed) }

    /// For `/metrics`.
    var metrics: String {
        """
        # HELP gatehouse_log_lost_total Lines of the log that nobody took in time.
        # TYPE gatehouse_log_lost_total counter
        gatehouse_log_lost_total \(lost)

        """
    }

    /// Waits until all is written, but not for long: a reader that has gone away must not keep the process.
    func finish() {
        for _ in 0..<100 {
            if state.withLock({ $0.pending.isEmpty && !$0.isWriting }) { return }
            usleep(10_000)
        }
    }

    private func drain() {
        while true {
            let bytes = state.withLock { state in
                let bytes = state.pending
                state.pending = []
                if bytes.isEmpty { state.isWriting = false }
                return bytes
            }
            if bytes.isEmpty { return }
            put(bytes)
        }
    }

    private func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if written > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[written...])
                } else if errno == EAGAIN {
                    var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&wanted, 1, 1000)
                } else if errno != EINTR {
                    // A full disk, or nobody at the other end.
                    lostEver.add(rest.count { $0 == UInt8(ascii: "\n") }, ordering: .relaxed)
                    return
                }
            }
        }
    }
}
