import Core
import LMDB
import Logging
import Synchronization
import Testing

@testable import Accounts

/// Takes mails, or fails as it is told.
private final class StubSender: MailSending {
    private let state = Mutex((mails: [Mail](), failures: [MailError]()))
    var mails: [Mail] { state.withLock { $0.mails } }

    init(_ failures: MailError...) {
        state.withLock { $0.failures = failures }
    }

    func send(_ mail: Mail) throws(MailError) {
        let failure = state.withLock { state -> MailError? in
            state.mails.append(mail)
            return state.failures.isEmpty ? nil : state.failures.removeFirst()
        }
        if let failure { throw failure }
    }
}

private let site = MailSite(name: "auth.example.com", url: "https://auth.example.com", domain: "example.com")
private let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
private let mary = EmailAddress("mary@example.com")

extension TestStore {
    fileprivate func enqueue(_ content: MailContent, expiresAt: Timestamp? = nil) throws {
        store.setMail(on: true)
        let now = now
        let store = store
        let address = try #require(mary)
        try store.write { transaction in
            try store.enqueue(
                MailMessage(content, to: address, userID: "user_1", expiresAt: expiresAt), at: now, in: transaction)
        }
    }

    fileprivate func deliver(_ sender: StubSender?, _ delivery: OutboxDelivery? = nil) throws {
        try (delivery ?? OutboxDelivery(store: store, log: log)).deliverDue(through: sender, site: site)
    }
}

@Suite struct OutboxTests {
    @Test func aMailGoesOutOnceAndIsGone() throws {
        let test = try TestStore()
        try test.enqueue(.magicLink(link: "https://auth.example.com/.auth/magic-link/abc", minutes: 15))
        let entry = try #require(try test.store.outbox().first)
        #expect(entry.state == "queued" && entry.template == "magic_link" && entry.to == "mary@example.com")
        let sender = StubSender()
        try test.deliver(sender)
        try test.deliver(sender)
        let mail = try #require(sender.mails.first)
        #expect(sender.mails.count == 1)
        #expect(mail.messageID == "\(entry.id)@example.com")
        #expect(mail.text.contains("https://auth.example.com/.auth/magic-link/abc\n"))
        #expect(mail.html.contains("href=\"https://auth.example.com/.auth/magic-link/abc\""))
        #expect(try test.store.outbox().isEmpty)
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 0, failed: 0))
    }

    /// The mail is part of the change: a change that fails mails nobody.
    @Test func aChangeThatFailsMailsNobody() throws {
        struct Failure: Error {}
        let test = try TestStore()
        test.store.setMail(on: true)
        let store = test.store
        let address = try #require(mary)
        let now = test.now
        #expect(throws: AccountsError.self) {
            try store.write { transaction in
                try store.enqueue(MailMessage(.fewBackupCodes(left: 2), to: address), at: now, in: transaction)
                throw Failure()
            }
        }
        #expect(try store.outbox().isEmpty)
    }

    @Test func linksAreSealedAtRest() throws {
        let test = try TestStore()
        try test.enqueue(.passwordReset(link: "https://auth.example.com/SECRETLINK", minutes: 15))
        try test.store.read { transaction in
            try Tables.outbox.forEach(in: transaction) { _, record, bytes in
                #expect(!String(decoding: bytes, as: UTF8.self).contains("SECRETLINK"))
                #expect(record.sealedLink != nil)
                return true
            }
        }
        try test.reopen(masterKey: nil)
        #expect(throws: AccountsError(.noMasterKey, "")) {
            try test.enqueue(.passwordReset(link: "https://auth.example.com/x", minutes: 15))
        }
        // Without a link there is nothing to seal: the command line may tell of a change.
        try test.enqueue(.passwordChanged(MailOccasion(at: test.now)))
        #expect(try test.store.outbox().count == 2)
    }

    @Test func withoutMailNothingIsQueued() throws {
        let test = try TestStore()
        try test.addUser()
        _ = try test.addKey()
        #expect(try test.store.outbox().isEmpty)
        test.store.setMail(on: true)
        _ = try test.addKey()
        #expect(try test.store.outbox().map(\.template) == ["api_key_created"])
        try test.addUser("robot@example.com", service: true)
        _ = try test.addKey("robot@example.com")
        #expect(try test.store.outbox().count == 1)
        try test.deliver(nil)
        #expect(try test.store.outbox().isEmpty)
    }

    @Test func aLinkThatHasEndedIsNotSent() throws {
        let test = try TestStore()
        try test.enqueue(.magicLink(link: "https://x", minutes: 15), expiresAt: test.now + .seconds(900))
        test.clock.advance(.seconds(900))
        let sender = StubSender()
        try test.deliver(sender)
        #expect(sender.mails.isEmpty)
        #expect(try test.store.outbox().isEmpty)
    }

    @Test func whatIsPutOffComesAgainWithTheSameID() throws {
        let test = try TestStore()
        try test.enqueue(.fewBackupCodes(left: 2))
        let sender = StubSender(MailError(.deferred, "451 later"), MailError(.deferred, "451 later"))
        try test.deliver(sender)
        let entry = try #require(try test.store.outbox().first)
        #expect(entry.state == "queued" && entry.attempts == 1 && entry.lastError == "451 later")
        #expect(entry.nextAttemptAt == test.now + .seconds(60))
        try test.deliver(sender)
        #expect(sender.mails.count == 1)
        test.clock.advance(.seconds(60))
        try test.deliver(sender)
        #expect(try test.store.outbox().first?.nextAttemptAt == test.now + .seconds(300))
        test.clock.advance(.seconds(300))
        try test.deliver(sender)
        #expect(Set(sender.mails.map(\.messageID)).count == 1 && sender.mails.count == 3)
        #expect(try test.store.outbox().isEmpty)
    }

    @Test func theScheduleEnds() {
        let start = Timestamp(milliseconds: 0)
        let end = start + Store.mailLifetime
        var now = start
        var attempts = 0
        let failure = MailError(.unavailable, "down")
        while true {
            attempts += 1
            guard
                case .retry(let next) = OutboxSchedule.after(failure, attempts: attempts, now: now, giveUpAt: end)
            else { break }
            #expect(next > now && next < end)
            now = next
        }
        #expect(now > end - .seconds(4 * 3600) && attempts == 16)
        #expect(OutboxSchedule.after(MailError(.rejected, ""), attempts: 1, now: start, giveUpAt: end) == .dead)
        #expect(
            OutboxSchedule.after(MailError(.stopped, ""), attempts: 99, now: now, giveUpAt: start)
                == .retry(at: now))
    }

    @Test func deadLettersAreKeptRetriedAndDropped() throws {
        let test = try TestStore()
        try test.enqueue(.fewBackupCodes(left: 2))
        let sender = StubSender(MailError(.rejected, "550 no"), MailError(.rejected, "550 no"))
        try test.deliver(sender)
        let id = try #require(try test.store.outbox().first).id
        #expect(try test.store.outbox().first?.state == "failed")
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 0, failed: 1))
        test.clock.advance(.seconds(86_400 * 30))
        try test.deliver(sender)
        #expect(sender.mails.count == 1)
        #expect(try test.store.retryMail(.one(id), by: TestStore.cli) == 1)
        try test.deliver(sender)
        #expect(sender.mails.count == 2)
        #expect(try test.store.dropMail(.allFailed, by: TestStore.cli) == 1)
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 0, failed: 0))
        #expect(throws: AccountsError(.notFound, "")) { try test.store.dropMail(.one(id), by: TestStore.cli) }
        #expect(
            try test.events().map(\.type).filter { $0.hasPrefix("outbox") } == ["outbox_dropped", "outbox_retried"])
    }

    /// It would be thrown away on its way.
    @Test func aMailWhoseLinkHasEndedIsNotTriedAgain() throws {
        let test = try TestStore()
        let end = test.now + .seconds(900)
        try test.enqueue(.magicLink(link: "https://auth.example.com/x", minutes: 15), expiresAt: end)
        let id = try #require(try test.store.outbox().first?.id)
        try test.deliver(StubSender(MailError(.rejected, "no")))
        test.clock.advance(.seconds(900))
        #expect(throws: AccountsError(.refused, "")) { try test.store.retryMail(.one(id), by: TestStore.cli) }
        #expect(try test.store.retryMail(.allFailed, by: TestStore.cli) == 0)
        #expect(try test.store.outbox().map(\.state) == ["failed"])
        #expect(try test.store.dropMail(.one(id), by: TestStore.cli) == 1)
    }

    /// One attempt finds that the server is down; a queue of mails is not a queue of time-outs.
    @Test func aServerThatIsDownIsAskedOnce() throws {
        let test = try TestStore()
        for left in 0..<5 { try test.enqueue(.fewBackupCodes(left: left)) }
        let sender = StubSender(MailError(.unavailable, "down"))
        let delivery = OutboxDelivery(store: test.store, log: log)
        try test.deliver(sender, delivery)
        try test.deliver(sender, delivery)
        #expect(sender.mails.count == 1)
        test.clock.advance(.seconds(5))
        try test.deliver(sender, delivery)
        #expect(sender.mails.count == 5)
        #expect(try test.store.outbox().count == 1)
    }

    @Test func thePauseGrowsAndIsBounded() {
        var pause = OutboxPause()
        var now = Timestamp(milliseconds: 0)
        #expect(!pause.holds(at: now))
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            pause.failed(at: now)
            #expect(pause.holds(at: now) && pause.holds(at: now + .seconds(seconds - 1)))
            #expect(!pause.holds(at: now + .seconds(seconds)))
            // A clock that was set back a day holds nothing up.
            #expect(!pause.holds(at: now - .seconds(86_400)))
            now = now + .seconds(seconds)
        }
        pause.succeeded()
        #expect(pause == OutboxPause())
    }

    /// A server that ended between the handing over and the commit: its claim is released at the next start.
    @Test func aClaimOutlivesItsServerAndIsReleased() throws {
        let test = try TestStore()
        try test.enqueue(.fewBackupCodes(left: 2))
        let claimed = try #require(try test.store.claimNextMail())
        #expect(try test.store.claimNextMail() == nil)
        #expect(try test.store.outbox().first?.state == "sending")
        #expect(throws: AccountsError(.refused, "")) { try test.store.dropMail(.one(claimed.id), by: TestStore.cli) }
        try test.reopen()
        let delivery = OutboxDelivery(store: test.store, log: log)
        try delivery.releaseClaims()
        let sender = StubSender()
        try test.deliver(sender, delivery)
        #expect(sender.mails.map(\.messageID) == ["\(claimed.id)@example.com"])
        #expect(try test.store.outboxCounts() == OutboxCounts(queued: 0, failed: 0))
    }

    @Test func aStopLeavesTheMailDue() throws {
        let test = try TestStore()
        try test.enqueue(.fewBackupCodes(left: 1))
        let sender = StubSender(MailError(.stopped, "stopping"))
        try test.deliver(sender)
        #expect(try test.store.outbox().map(\.attempts) == [0])
        try test.deliver(sender)
        #expect(try test.store.outbox().isEmpty)
    }
}

@Suite struct MailTextTests {
    private static let occasion = MailOccasion(
        at: Timestamp(milliseconds: 1_800_000_000_000), address: IPAddress("192.0.2.1"), device: "Firefox")
    private static let link = "https://auth.example.com/.auth/x/TOKEN"

    static let contents: [MailContent] = [
        .verifyEmail(link: link), .magicLink(link: link, minutes: 15), .passwordReset(link: link, minutes: 15),
        .invitation(link: link, days: 7), .confirmNewEmail(link: link),
        .emailChangeRequested(newEmail: "new@example.com", occasion),
        .emailChanged(newEmail: "new@example.com", occasion), .passwordChanged(occasion), .newDevice(occasion),
        .apiKeyCreated(name: "laptop", prefix: "gate_1234567", occasion),
        .accountLocked(link: link, minutes: 30, occasion), .fewBackupCodes(left: 2), .alreadyRegistered(link: link),
        .noAccount, .factorAdded(.totp, occasion), .factorRemoved(.totp, occasion), .factorAdded(.passkey, occasion),
        .factorRemoved(.passkey, occasion), .factorsReset(link: link, occasion), .backupCodeUsed(left: 4, occasion),
        .backupCodesRenewed(occasion), .codesLocked(minutes: 30, occasion),
        .wrongCodes(occasion),
        .socialAccountLinked(provider: "corp", occasion), .socialAccountUnlinked(provider: "corp", occasion),
    ]

    static func write(_ content: MailContent, _ language: MailLanguage, site: MailSite = site) throws -> Mail {
        let stored = content.stored
        let record = OutboxRecord(
            id: "mail_1", recipient: "mary@example.com", language: language, template: stored.template,
            fields: stored.fields, createdAt: occasion.at, state: .queued, attempts: 0, dueAt: occasion.at,
            giveUpAt: occasion.at)
        return try #require(MailWriter(record, link: stored.link, site: site).mail(record))
    }

    @Test func everyLanguageHasEveryText() {
        for language in MailLanguage.allCases {
            #expect(Set(MailCatalogue.of(language).texts.keys) == Set(MailTemplate.allCases))
        }
        #expect(Set(Self.contents.map(\.stored.template)) == Set(MailTemplate.allCases.map(\.rawValue)))
    }

    @Test(arguments: contents, MailLanguage.allCases)
    func nothingIsLeftOpen(_ content: MailContent, _ language: MailLanguage) throws {
        let mail = try Self.write(content, language)
        for text in [mail.subject, mail.text, mail.html] {
            #expect(!text.contains("{") && !text.contains("}"))
            #expect(!text.contains("Optional"))
            #expect(text.contains("auth.example.com"))
        }
        #expect(!mail.subject.contains("\n") && mail.subject.count <= 70)
        #expect(mail.text.contains(Self.link) == (content.stored.link != nil))
        #expect(mail.html.contains(Self.link) == (content.stored.link != nil))
        for fact in ["192.0.2.1", "Firefox", "2027-01-15 08:00 UTC"] {
            #expect(mail.text.contains(fact) == (content.stored.fields["at"] != nil))
        }
        // Nothing is fetched when the mail is opened.
        #expect(!mail.html.contains("<img") && !mail.html.contains("<script") && !mail.html.contains("url("))
    }

    /// A stranger who writes something into a form mails nobody a text.
    @Test func whatComesFromOutsideIsOneShortLineAndNoMarkup() throws {
        let evil =
            "x\r\nBcc: all@example.com\u{2028}\u{202e}<a href='https://evil.example'>{link}</a>\"&"
            + String(repeating: "y", count: 500)
        let occasion = MailOccasion(at: Self.occasion.at, device: evil)
        let mail = try Self.write(.apiKeyCreated(name: evil, prefix: "gate_1234567", occasion), .english)
        #expect(!mail.html.contains("<a "))
        #expect(mail.html.contains("&lt;a href=&#39;https://evil.example&#39;&gt;{link}"))
        #expect(!mail.text.unicodeScalars.contains { ["\r", "\u{2028}", "\u{202e}"].contains($0) })
        #expect(mail.text.split(separator: "\n").allSatisfy { !$0.hasPrefix("Bcc") && $0.count < 400 })
    }
}
