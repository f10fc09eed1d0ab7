internal import Glibc

/// A few named threads for one purpose (hashing, fetching, writing), with a bounded queue: work that must not run on
/// an event loop and must not grow without limit.
public final class WorkerPool: Sendable {
    /// A piece of work; runs exactly once on one of the threads, unless the pool refused it.
    public typealias Work = @Sendable () -> Void

    private struct State {
        var queue: [Work] = []
        var head = 0
        var stopping = false
        var running: Int
    }

    // `state` is read and written only between lock and unlock of `mutex`.
    private nonisolated(unsafe) let state: UnsafeMutablePointer<State>
    private nonisolated(unsafe) let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private nonisolated(unsafe) let changed: UnsafeMutablePointer<pthread_cond_t>
    private let capacity: Int

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes, as the kernel shows it.
    ///   - threads: how many; at least one.
    ///   - capacity: how much work may wait; more is refused.
    ///   - niceness: added to the threads' nice value (19: only what nobody else wants).
    public init(name: String, threads: Int, capacity: Int, niceness: Int32 = 0) {
        precondition(threads > 0 && name.utf8.count <= 15)
        self.capacity = capacity
        state = .allocate(capacity: 1)
        state.initialize(to: State(running: threads))
        mutex = .allocate(capacity: 1)
        changed = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
        for _ in 0..<threads {
            NamedThread.start(name: name, niceness: niceness) { self.run() }
        }
    }

    deinit {
        // The threads hold the pool, so the last reference goes only after the last of them has ended.
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        state.deinitialize(count: 1)
        state.deallocate()
        mutex.deallocate()
        changed.deallocate()
    }

    /// Queues `work`.
    ///
    /// - Returns: false when the queue is full or the pool was stopped; the work will then not run.
    public func submit(_ work: @escaping Work) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !state.pointee.stopping, state.pointee.queue.count - state.pointee.head < capacity else { return false }
        state.pointee.queue.append(work)
        pthread_cond_signal(changed)
        return true
    }

    /// Takes no more work, finishes what is queued, and returns when the threads have ended. Without it the threads
    /// live as long as the process.
    public func stop() {
        pthread_mutex_lock(mutex)
        state.pointee.stopping = true
        pthread_cond_broadcast(changed)
        while state.pointee.running > 0 { pthread_cond_wait(changed, mutex) }
        pthread_mutex_unlock(mutex)
    }

    private func run() {
        pthread_mutex_lock(mutex)
        while true {
            if state.pointee.head < state.pointee.queue.count {
                let work = takeFirst()
                pthread_mutex_unlock(mutex)
                work()
                pthread_mutex_lock(mutex)
            } else if state.pointee.stopping {
                break
            } else {
                pthread_cond_wait(changed, mutex)
            }
        }
        state.pointee.running -= 1
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }

    private func takeFirst() -> Work {
        let work = state.pointee.queue[state.pointee.head]
        state.pointee.head += 1
        if state.pointee.head == state.pointee.queue.count || state.pointee.head >= 1024 {
            state.pointee.queue.removeFirst(state.pointee.head)
            state.pointee.head = 0
        }
        return work
    }
}

/// Starts detached threads with a name.
public enum NamedThread {
    private final class Start {
        let name: String
        let niceness: Int32
        let body: @Sendable () -> Void

        init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.body = body
        }

        // The calls that glibc has for this are variadic or hidden behind _GNU_SOURCE, out of Swift's reach.
        func setName() {
            let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
            guard file >= 0 else { return }
            var name = name
            _ = name.withUTF8 { write(file, $0.baseAddress, $0.count) }
            close(file)
        }
    }

    /// Runs `body` on a new thread.
    ///
    /// - Parameter name: at most 15 bytes.
    public static func start(name: String, niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Start(name: name, niceness: niceness, body: body))
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                start.setName()
                // On Linux the nice value belongs to the thread that sets it.
                if start.niceness != 0 { _ = nice(start.niceness) }
                start.body()
                return nil
            }, start.toOpaque())
        precondition(result == 0, "pthread_create failed with \(result)")
        pthread_detach(thread)
    }
}
