internal import Accounts
internal import Core
internal import Logging
internal import Outbound
internal import Settings
internal import Synchronization

/// Tells webhooks of events: looks once a second whether there is something to tell. Each webhook is told one event after
/// the other, beside the others.
final class WebhookWorker: Sendable {
    /// A webhook that answers slowly gives way to the next look after so long.
    private static let longestTurn = Duration.seconds(5)

    private let delivery: WebhookDelivery
    private let log: Logger
    private let fetcher = Fetcher(threads: 4, capacity: 64)
    private let pool = WorkerPool(name: "gh-webhooks", threads: 1, capacity: 256)
    private let state: Mutex<(webhooks: [Webhook], haveChanged: Bool, isStopped: Bool)>
    /// Those that are being told; each is told by one task at a time.
    private let busy = Mutex<Set<String>>([])
    private let loop = Mutex<Task<Void, Never>?>(nil)

    init(_ settings: Settings, store: Store, log: Logger) throws {
        delivery = WebhookDelivery(store: store, log: log)
        self.log = log
        let webhooks = try settings.accountsWebhooks()
        // What happens from the start on is told.
        try delivery.begin(with: webhooks)
        state = Mutex((webhooks, false, false))
    }

    /// Begins to deliver.
    func start() {
        let task = Task {
            while !Task.isCancelled {
                await look()
                try? await Task.sleep(for: .seconds(1))
            }
        }
        loop.withLock { $0 = task }
    }

    /// To be called before ``replace(_:)``, since it may fail.
    static func prepared(_ settings: Settings) throws -> [Webhook] { try settings.accountsWebhooks() }

    /// Tells these from now on; what is under way goes on as it began.
    func replace(_ webhooks: [Webhook]) async {
        state.withLock {
            $0.webhooks = webhooks
            $0.haveChanged = true
        }
        _ = await begin(with: webhooks)
    }

    /// - Returns: whether the store knows them; else it is tried again.
    private func begin(with webhooks: [Webhook]) async -> Bool {
        do {
            try await perform { try self.delivery.begin(with: webhooks) }
            state.withLock { $0.haveChanged = false }
            return true
        } catch {
            return false
        }
    }

    /// Does not wait for an answer that is under way: what was not noted is sent again, with the same id.
    func stop() {
        state.withLock { $0.isStopped = true }
        loop.withLock { $0 }?.cancel()
        // Nothing touches the store after this.
        pool.stop()
    }

    private func look() async {
        let (webhooks, haveChanged) = state.withLock { ($0.webhooks, $0.haveChanged) }
        if haveChanged {
            guard await begin(with: webhooks) else { return }
        }
        // Not waited for: one that answers slowly holds up no other.
        for webhook in webhooks where busy.withLock({ $0.insert(webhook.id).inserted }) {
            Task {
                await self.tell(webhook)
                self.busy.withLock { _ = $0.remove(webhook.id) }
            }
        }
    }

    private func tell(_ webhook: Webhook) async {
        let clock = ContinuousClock()
        let end = clock.now + Self.longestTurn
        do {
            while clock.now < end, !state.withLock({ $0.isStopped }) {
                switch try await perform({ try self.delivery.next(for: webhook) }) {
                case .wait: return
                case .lookOn: continue
                case .send(let message):
                    let answer = await post(message.request)
                    guard try await perform({ try self.delivery.finish(message, answer) }) else { return }
                }
            }
        } catch {
            // Said already, or the server stops.
        }
    }

    private func post(_ request: FetchRequest) async -> Result<FetchResponse, FetchError> {
        do {
            return .success(try await fetcher.fetch(request))
        } catch let error as FetchError {
            return .failure(error)
        } catch {
            return .failure(FetchError(.malformed, "\(error)"))
        }
    }

    private func perform<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await pool.run(work)
        } catch {
            if !state.withLock({ $0.isStopped }) {
                log.error("the webhooks could not be worked off", metadata: ["error": "\(error)"])
            }
            throw error
        }
    }
}

extension Settings {
    fileprivate func accountsWebhooks() throws -> [Accounts.Webhook] {
        try webhooks.compactMap { webhook in
            guard let secret = webhook.secret else { return nil }
            return try Accounts.Webhook(url: webhook.url, secret: secret, events: webhook.events)
        }
    }

    /// `notifications` as the store takes it.
    var notices: SecurityNotices {
        let wanted: [(SecurityNotice, Bool)] = [
            (.newDevice, notifications.newDevice), (.passwordChanged, notifications.passwordChanged),
            (.emailChanged, notifications.emailChanged), (.apiKeyCreated, notifications.apiKeyCreated),
            (.accountLocked, notifications.accountLocked), (.factorsChanged, notifications.factorsChanged),
            (.backupCodeUsed, notifications.backupCodeUsed),
            (.socialAccountLinked, notifications.socialAccountLinked),
            (.socialAccountUnlinked, notifications.socialAccountUnlinked),
        ]
        return SecurityNotices(Set(wanted.filter(\.1).map(\.0)))
    }
}
