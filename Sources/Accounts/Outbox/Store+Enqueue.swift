internal import Core
internal import LMDB

extension Store {
    /// A mail that cannot be handed over is tried for so long.
    static let mailLifetime: Duration = .seconds(48 * 3600)

    /// Queues a mail, in the transaction of the change that it tells of: both are on disk, or neither. Nothing while
    /// `mail: none`, and no notice that `notifications` leaves out.
    ///
    /// - Throws: `noMasterKey` when the mail has a link and the store was opened without the key that seals it.
    func enqueue(_ message: MailMessage, at now: Timestamp, in transaction: borrowing WriteTransaction) throws {
        guard mailIsOn, message.content.notice.map(notices.contains) ?? true else { return }
        let id = try random.id("mail")
        let content = message.content.stored
        var sealed: [UInt8]?
        if let link = content.link {
            sealed = try masterKeys().seal(Array(link.utf8), in: .mailLink, key: id)
        }
        // Whoever locks an account, or asks for its password, does not choose what its owner reads.
        let known = try message.userID.flatMap { try Tables.users.get($0, in: transaction)?.language }
        let record = OutboxRecord(
            id: id, recipient: message.recipient.description, language: known ?? message.language,
            template: content.template,
            fields: content.fields, sealedLink: sealed, userID: message.userID, createdAt: now,
            expiresAt: message.expiresAt, state: .queued, attempts: 0, dueAt: now, giveUpAt: now + Self.mailLifetime)
        try Tables.outbox.put(record, for: id, in: transaction)
        try Tables.outboxDue.put(EmptyRecord(), for: record.dueKey, in: transaction)
    }
}

extension OutboxRecord {
    /// Its row in `outbox_due`.
    var dueKey: KeyPair<UInt64, String> { KeyPair(UInt64(clamping: dueAt.milliseconds), id) }
}
