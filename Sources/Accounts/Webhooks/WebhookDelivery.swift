public import Core
internal import LMDB
public import Logging
internal import Synchronization

/// Says what each webhook is to be told next, and notes what came of it. Waits for the store, not for the network;
/// sending is the caller's, one message a webhook at a time.
///
/// A server that dies between the sending and the note sends again, with the same id: at least once, never lost.
public final class WebhookDelivery: Sendable {
    private static let timeout = Duration.seconds(10)
    private static let maximumAnswer = 64 << 10

    private let store: Store
    private let log: Logger
    /// Up to where the log was looked through for each webhook; written down now and then only.
    private let seen = Mutex<[String: UInt64]>([:])

    public init(store: Store, log: Logger) {
        self.store = store
        self.log = log
    }

    /// Begins with these webhooks: a new one is told of what happens from now on, and those that are gone are forgotten.
    public func begin(with webhooks: [Webhook]) throws(AccountsError) {
        try store.beginWebhooks(webhooks)
    }

    /// What is to be done now.
    public enum Next: Sendable {
        case send(WebhookMessage)
        /// The log is longer than is looked through at a time: to be asked again at once.
        case lookOn
        case wait
    }

    /// What a webhook is to be told now.
    public func next(for webhook: Webhook) throws(AccountsError) -> Next {
        let now = store.clock.now()
        let from = seen.withLock { $0[webhook.id] ?? 0 }
        let (look, position) = try store.nextEvent(for: webhook, after: from, at: now)
        seen.withLock { $0[webhook.id] = position }
        switch look {
        case .nothing: return .wait
        case .nothingYet: return .lookOn
        case .gone(let step):
            try store.skip(step, of: webhook)
            return .lookOn
        case .event(let step, let body):
            let headers: [(name: String, value: String)]
            do {
                headers = try webhook.headers(id: step.event, at: now, body: body)
            } catch {
                throw .wrapping(error)
            }
            return .send(
                WebhookMessage(
                    request: FetchRequest(
                        url: webhook.url, method: "POST", headers: headers, body: body, timeout: Self.timeout,
                        maximumBodyBytes: Self.maximumAnswer), webhook: webhook, step: step))
        }
    }

    /// - Returns: whether the next one may follow at once.
    public func finish(
        _ message: WebhookMessage, _ answer: Result<FetchResponse, FetchError>
    ) throws(AccountsError) -> Bool {
        let outcome = WebhookSchedule.outcome(of: answer)
        let (fate, displaced) = try store.finish(message, outcome)
        let metadata: Logger.Metadata = [
            "webhook": "\(message.webhook.origin)", "event": "\(message.step.event)",
            "event_type": "\(message.step.type)",
        ]
        if let displaced {
            log.error(
                "too many events wait: the oldest was given up; `gatehouse outbox retry` tries again",
                metadata: [
                    "webhook": "\(message.webhook.origin)", "event": "\(displaced.fields["event"] ?? displaced.id)",
                    "event_type": "\(displaced.template)", "error": "\(displaced.lastError ?? "")",
                ])
        }
        switch outcome {
        case .delivered:
            log.debug("event handed over", metadata: metadata)
            return true
        case .refused(let why), .turnedAway(let why), .unavailable(let why):
            let told = metadata.merging(["error": "\(why)"]) { first, _ in first }
            if case .givenUp? = fate {
                log.error("event given up; `gatehouse outbox retry` tries again", metadata: told)
            } else {
                log.warning("event not handed over; it will be tried again", metadata: told)
            }
            // Nobody wants to know any more.
            guard let fate else { return false }
            // One that is aside may be what the receiver hangs on.
            if case .unavailable = outcome, message.step.letter == nil { return false }
            return fate != .held
        }
    }
}
