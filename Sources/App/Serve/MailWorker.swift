internal import Accounts
internal import Core
internal import Logging
internal import Outbound
internal import Settings
internal import Synchronization

/// Delivers the outbox on a thread of its own: looks once a second whether something is due.
final class MailWorker: Sendable {
    private struct Way: Sendable {
        let sender: (any MailSending)?
        let site: MailSite
        /// What the mail under way goes by; another one than `sender` after a reload.
        var underWay: (any MailSending)?
    }

    private let delivery: OutboxDelivery
    private let store: Store
    private let log: Logger
    private let pool = WorkerPool(name: "gh-mail", threads: 1, capacity: 4)
    private let way: Mutex<Way>
    private let loop = Mutex<Task<Void, Never>?>(nil)

    init(_ settings: Settings, store: Store, log: Logger) {
        delivery = OutboxDelivery(store: store, log: log)
        self.store = store
        self.log = log
        way = Mutex(Way(sender: settings.mailSender(log), site: settings.mailSite))
    }

    /// How many mails are in hand.
    var inHand: Int { delivery.inHand }

    /// Begins to deliver.
    func start() {
        let task = Task {
            await perform { try self.delivery.releaseClaims() }
            while !Task.isCancelled {
                let way = self.way.withLock { way in
                    way.underWay = way.sender
                    return way
                }
                await perform { try self.delivery.deliverDue(through: way.sender, site: way.site) }
                try? await Task.sleep(for: .seconds(1))
            }
        }
        loop.withLock { $0 = task }
    }

    /// Takes the next mails another way; what is under way goes on as it began.
    func replace(_ settings: Settings) {
        way.withLock {
            $0 = Way(sender: settings.mailSender(log), site: settings.mailSite, underWay: $0.underWay)
        }
        store.setMail(on: settings.mail.isOn)
        store.setNotices(settings.notices)
        delivery.endPause()
    }

    /// Breaks off what is under way; it stays in the outbox.
    func stop() async {
        let task = loop.withLock { $0 }
        task?.cancel()
        let way = way.withLock { $0 }
        for sender in [way.sender, way.underWay] { (sender as? SMTPClient)?.stop() }
        await task?.value
        pool.stop()
    }

    private func perform(_ work: @escaping @Sendable () throws -> Void) async {
        do {
            try await pool.run(work)
        } catch {
            log.error("the outbox could not be worked off", metadata: ["error": "\(error)"])
        }
    }
}
