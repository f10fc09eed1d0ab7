internal import Core

/// What becomes of an event, and of the webhook. No store, no clock.
extension WebhookRecord {
    enum Fate: Equatable {
        case taken
        /// It becomes a dead letter.
        case givenUp(String)
        /// The queue waits for it.
        case held
        /// Others pass it; it is tried again then.
        case aside(until: Timestamp)
    }

    /// The receiver is as good as new: it has taken something, or the operator says so.
    mutating func recover() {
        failures = 0
        failingSince = nil
        turnedAway = nil
        dueAt = nil
    }

    /// So many were not taken in a row that it cannot be the events.
    var isBroken: Bool { (turnedAway ?? 0) >= WebhookSchedule.mostInARow }

    /// - Parameter step: what was tried; it gets its attempt.
    mutating func judge(_ step: inout Step, _ outcome: WebhookSchedule.Outcome, at now: Timestamp) -> Fate {
        step.attempts += 1
        prefersNew = step.letter == nil ? nil : true
        switch outcome {
        case .delivered:
            recover()
            takenAt = now
            return .taken
        case .refused(let why):
            return .givenUp(why)
        case .turnedAway(let why):
            return turnAway(&step, why, at: now)
        // One that others pass may be what the receiver hangs on: it waits alone.
        case .unavailable(let why) where step.letter != nil:
            return turnAway(&step, why, at: now)
        case .unavailable(let why):
            failures += 1
            if fails(because: why, at: now) { return giveUp(step, why, at: now) }
            let next = now + WebhookSchedule.wait(after: failures)
            dueAt = next
            return .held
        }
    }

    private mutating func turnAway(_ step: inout Step, _ why: String, at now: Timestamp) -> Fate {
        let answers = (step.answers ?? 0) + 1
        let inARow = (turnedAway ?? 0) + 1
        step.answers = answers
        turnedAway = inARow
        failures = 0
        dueAt = nil
        if fails(because: why, at: now) { return giveUp(step, why, at: now) }
        // Whether it is the event's fault or the receiver's, only another event shows.
        if answers >= WebhookSchedule.maximumAnswers, let takenAt, takenAt >= step.since { return .givenUp(why) }
        if step.letter != nil, now - step.since >= WebhookSchedule.lifetime { return .givenUp(why) }
        if inARow % WebhookSchedule.mostInARow == 0 { dueAt = now + WebhookSchedule.pause }
        // A receiver that hiccups gets everything in its order.
        if inARow == 1, step.letter == nil {
            dueAt = now + WebhookSchedule.wait(after: 1)
            return .held
        }
        return .aside(until: now + WebhookSchedule.wait(after: answers))
    }

    /// - Returns: whether nothing was taken for so long that nothing is waited for any more.
    private mutating func fails(because why: String, at now: Timestamp) -> Bool {
        // A clock that was set back must not make it last.
        let since = min(failingSince ?? now, now)
        failingSince = since
        lastError = String(why.prefix(300))
        return now - since >= WebhookSchedule.lifetime
    }

    private mutating func giveUp(_ step: Step, _ why: String, at now: Timestamp) -> Fate {
        // What was put aside keeps nothing from being told.
        dueAt = step.letter == nil ? now + WebhookSchedule.longestWait : nil
        return .givenUp(why)
    }
}
