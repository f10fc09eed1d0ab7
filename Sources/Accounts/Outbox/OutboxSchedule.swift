public import Core

/// When a mail that was not taken is tried again, and when it is given up. A value without a clock or a store.
struct OutboxSchedule: Equatable {
    /// After the first failure, the second and so on; the last one repeats until the mail is given up.
    static let waits: [Duration] = [.seconds(60), .seconds(300), .seconds(900), .seconds(3600), longestWait]
    static let longestWait: Duration = .seconds(4 * 3600)

    /// What becomes of a mail after an attempt.
    enum Outcome: Equatable {
        case retry(at: Timestamp)
        case dead
    }

    /// - Parameter attempts: how many there were, this one included.
    static func after(_ failure: MailError, attempts: Int, now: Timestamp, giveUpAt: Timestamp) -> Outcome {
        switch failure.code {
        case .rejected: return .dead
        // Not the mail's fault, and nothing was tried: at once, by whoever serves next.
        case .stopped: return .retry(at: now)
        case .deferred, .unavailable:
            let next = now + waits[min(max(attempts, 1), waits.count) - 1]
            return next < giveUpAt ? .retry(at: next) : .dead
        }
    }
}

/// How long nothing is sent after the mail server could not be reached: a few seconds that become five minutes, so that
/// a dead server is not asked once for every mail that waits.
public struct OutboxPause: Sendable, Equatable {
    private static let shortest: Duration = .seconds(5)
    private static let longest: Duration = .seconds(300)

    private var wait: Duration = .zero
    private var end: Timestamp?

    /// Nothing has failed yet.
    public init() {}

    /// Nothing is to be sent now.
    public func holds(at now: Timestamp) -> Bool {
        guard let end else { return false }
        // A clock that was set back must not make it last.
        return now < end && end - now <= Self.longest
    }

    mutating func failed(at now: Timestamp) {
        wait = wait == .zero ? Self.shortest : min(wait * 2, Self.longest)
        end = now + wait
    }

    mutating func succeeded() {
        self = OutboxPause()
    }
}
