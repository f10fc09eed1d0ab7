internal import Core

/// A mail on its way, as it is stored: what it is made from, not what it will say. Or an event that a webhook has not
/// taken: it stands in the audit log.
struct OutboxRecord: JSONRecord, Equatable {
    enum State: String, Codable {
        /// Waits for its time.
        case queued
        /// A server has it in hand; if that server dies, the mail is sent again when the claim ends.
        case sending
        /// Will not be tried again unless the operator says so.
        case failed
    }

    var id: String
    var recipient: String
    var language: MailLanguage
    var template: String
    var fields: [String: String]
    /// The link, sealed under the master key.
    var sealedLink: [UInt8]?
    var userID: String?
    var createdAt: Timestamp
    /// When the link ends.
    var expiresAt: Timestamp?
    var state: State
    var attempts: Int
    /// When it is looked at next; its place in `outbox_due`.
    var dueAt: Timestamp
    /// When it is given up.
    var giveUpAt: Timestamp
    var lastError: String?
    /// Of an event: the webhook's id; then ``recipient`` is its origin and ``template`` the event's type.
    var webhook: String?
    /// Of an event: its sequence.
    var event: UInt64?
    /// Of an event: how many of the attempts were answered, and when it was tried first.
    var answers: Int?
    var triedSince: Timestamp?
}
