public import Core
internal import LMDB
public import Logging
internal import Synchronization

/// Hands over what waits in the outbox, one mail after the other, on the thread that calls. Only the server does it.
///
/// ```
///   queued ──claim──▶ sending ──taken──▶ (row gone)
///     ▲                  ├──not taken──▶ queued, later
///     └──────────────────┘ └──rejected, or given up──▶ failed
/// ```
/// A claim is committed before anything is sent, so two servers never send the same mail, and a mail that ends a server
/// counts as tried. A server that dies between the handing over and the commit sends again, with the same Message-ID:
/// at least once, never lost.
public final class OutboxDelivery: Sendable {
    /// How long a claim holds; longer than any attempt may last.
    static let claimPeriod: Duration = .seconds(300)

    private let store: Store
    private let log: Logger
    private let pause = Mutex(OutboxPause())
    private let sending = Atomic<Int>(0)

    /// - Parameter store: opened with the master key, which opens the links.
    public init(store: Store, log: Logger) {
        self.store = store
        self.log = log
    }

    /// How many mails are in hand: 0 or 1.
    public var inHand: Int { sending.load(ordering: .relaxed) }

    /// Hands over every mail that is due, until there is none, the server cannot be reached, or the sender is stopped.
    ///
    /// - Parameter sender: nil: `mail: none`; what waits is dropped then.
    public func deliverDue(through sender: (any MailSending)?, site: MailSite) throws(AccountsError) {
        guard let sender else { return try dropAll() }
        while !pause.withLock({ $0.holds(at: store.clock.now()) }), let record = try store.claimNextMail() {
            sending.store(1, ordering: .relaxed)
            defer { sending.store(0, ordering: .relaxed) }
            let failure = attempt(record, sender, site)
            try finish(record, failure)
            switch failure?.code {
            case nil: pause.withLock { $0.succeeded() }
            case .unavailable: pause.withLock { $0.failed(at: store.clock.now()) }
            case .stopped: return
            case .rejected, .deferred: break
            }
        }
    }

    /// To be called when the sender is another one: whether it can be reached is open again.
    public func endPause() {
        pause.withLock { $0 = OutboxPause() }
    }

    /// To be called at the server's start: what a server that died had in hand is due at once.
    public func releaseClaims() throws(AccountsError) {
        try store.releaseMailClaims()
    }

    private func attempt(_ record: OutboxRecord, _ sender: any MailSending, _ site: MailSite) -> MailError? {
        do throws(AccountsError) {
            let link = try store.openLink(of: record)
            guard let mail = MailWriter(record, link: link, site: site).mail(record) else {
                return MailError(.rejected, "this version cannot write a mail of the kind \(record.template)")
            }
            do throws(MailError) {
                try sender.send(mail)
                return nil
            } catch {
                return error
            }
        } catch {
            return MailError(.rejected, error.message)
        }
    }

    private func finish(_ record: OutboxRecord, _ failure: MailError?) throws(AccountsError) {
        let metadata: Logger.Metadata = ["mail": "\(record.id)", "template": "\(record.template)"]
        guard let failure else {
            try store.mailTaken(record)
            log.info("mail handed over", metadata: metadata)
            return
        }
        let outcome = try store.mailFailed(record, failure)
        let details: Logger.Metadata = ["error": "\(failure.message)", "attempts": "\(record.attempts)"]
        switch outcome {
        case .dead:
            log.error(
                "mail given up; `gatehouse outbox retry` tries again",
                metadata: metadata.merging(details) { first, _ in first })
        case .retry:
            log.warning(
                "mail not handed over; it will be tried again",
                metadata: metadata.merging(details) { first, _ in first })
        }
    }

    private func dropAll() throws(AccountsError) {
        var dropped = 0
        while case let count = try store.dropQueuedMail(), count > 0 { dropped += count }
        if dropped > 0 {
            log.notice("mail: none, so what waited is not sent", metadata: ["mails": "\(dropped)"])
        }
    }
}
