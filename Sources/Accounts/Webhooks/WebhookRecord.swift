internal import Core

/// How far a webhook has come, under its id. The audit log is its queue: an event waits there until the webhook has
/// taken it, in order, however long that lasts and whichever process has written it.
///
/// One event must not silence a receiver, since a stranger may choose what stands in it: what reaches it and is not taken,
/// whether it is answered, hung on or died of, is put aside, and the next one passes it. While nobody is there at all, the
/// event waits.
///
/// ```
///   audit   1  2  3  4  5  6  7          taken ──▶ the position moves on
///                    ▲                   nobody there, or the first one that is not taken ──▶ held: tried again later
///                 position               not taken ──▶ aside: outbox (queued), tried on its own; the position moves on
///                                        refused, or given up ──▶ outbox (failed); the position moves on
/// ```
struct WebhookRecord: JSONRecord, Equatable {
    /// An event that is being tried.
    struct Step: Codable, Equatable {
        var sequence: UInt64
        /// The message's id: the same at each attempt, and made from the event, so that a restored store repeats it.
        var event: String
        var type: String
        var createdAt: Timestamp
        var attempts: Int
        /// When it was tried first.
        var since: Timestamp
        /// The row in `outbox` that it came from, when it was put aside or had been given up before.
        var letter: String?
        /// How many of the attempts may have been its own fault: those that came there and, since it is aside, all.
        var answers: Int?
    }

    /// The last event that is done with.
    var position: UInt64
    var origin: String
    /// What the queue waits for.
    var step: Step?
    /// How often in a row nobody has answered, whatever the event.
    var failures = 0
    /// Nothing is sent before.
    var dueAt: Timestamp?
    var lastError: String?
    /// When the first of ``failures`` was.
    var failingSince: Timestamp?
    /// How many letters there may be; nil: not counted yet.
    var letters: Int?
    /// How many in a row came there and were not taken, or were of events that are aside.
    var turnedAway: Int?
    /// When one was taken last.
    var takenAt: Timestamp?
    /// The last one was an event that was put aside: those that were never tried come first, and so they do while
    /// nothing is taken.
    var prefersNew: Bool?
}

/// What becomes of an event after an attempt. Values without a clock or a store.
enum WebhookSchedule {
    enum Outcome: Equatable {
        case delivered
        /// This event will not be taken; the next one may.
        case refused(String)
        /// The receiver is there and does not take it: this event's fault, or its own.
        case turnedAway(String)
        /// The receiver is not there.
        case unavailable(String)
    }

    /// A receiver that takes nothing is waited for so long; then each event is tried once.
    static let lifetime = Duration.seconds(48 * 3600)
    /// So many tries by which an event is not taken are enough, if another one was taken in the meantime.
    static let maximumAnswers = 5
    /// After so many in a row that were not taken, nothing is sent for a while.
    static let mostInARow = 20
    /// For so long.
    static let pause = Duration.seconds(300)
    /// So many can be aside at a time; for one more the oldest is given up.
    static let maximumAside = 1000
    /// So many events that were given up are kept for each webhook, the newest ones.
    static let maximumLetters = 1000

    static func outcome(of answer: Result<FetchResponse, FetchError>) -> Outcome {
        switch answer {
        case .success(let response):
            switch response.status {
            case 200..<300: return .delivered
            // Whoever has moved, lost its configuration or our key, or has too much to do may be back.
            case 401, 403, 404, 408, 410, 425, 429: return .turnedAway("the answer was \(response.status)")
            case 400..<500: return .refused("the answer was \(response.status)")
            default: return .turnedAway("the answer was \(response.status)")
            }
        // Whoever hangs on an event, or dies of it, may take the next one.
        case .failure(let error): return error.wasSent ? .turnedAway(error.message) : .unavailable(error.message)
        }
    }

    /// How long nothing is sent after so many failures in a row.
    static func wait(after failures: Int) -> Duration {
        OutboxSchedule.waits[min(max(failures, 1), OutboxSchedule.waits.count) - 1]
    }

    static var longestWait: Duration { wait(after: .max) }

    /// Nothing is to be sent yet. A clock that was set back must not make it last.
    static func holds(_ dueAt: Timestamp?, at now: Timestamp) -> Bool {
        guard let dueAt else { return false }
        return now < dueAt && dueAt - now <= longestWait
    }
}
