public import Core

/// Where and by what something happened, as far as it is known.
public struct MailOccasion: Sendable, Equatable {
    /// When.
    public var at: Timestamp
    /// From which address.
    public var address: IPAddress?
    /// By which device or browser, in the words of a sessions list.
    public var device: String?

    /// All fields, named as they are.
    public init(at: Timestamp, address: IPAddress? = nil, device: String? = nil) {
        self.at = at
        self.address = address
        self.device = device
    }
}

/// What a mail says. Each case has a text in every language.
///
/// Mails that a stranger can have sent to any address (verification, magic link, reset) hold nothing that the stranger
/// wrote, so that our forms are no way to mail somebody a text.
public enum MailContent: Sendable, Equatable {
    /// Someone registered with this address.
    case verifyEmail(link: String)
    /// A sign-in without a password.
    case magicLink(link: String, minutes: Int)
    /// A password is to be set anew.
    case passwordReset(link: String, minutes: Int)
    /// The operator made an account.
    case invitation(link: String, days: Int)
    /// To the new address: it becomes the account's when the link is used.
    case confirmNewEmail(link: String)
    /// To the address that the account has: somebody asked for another one.
    case emailChangeRequested(newEmail: String, MailOccasion)
    /// To the old address (and to the new one): the account has another one now.
    case emailChanged(newEmail: String, MailOccasion)
    case passwordChanged(MailOccasion)
    /// A sign-in from a device that was not seen before.
    case newDevice(MailOccasion)
    /// Names the key by its prefix, never the key.
    case apiKeyCreated(name: String, prefix: String, MailOccasion)
    /// Too many failures; the link, where there is one, ends the lock.
    case accountLocked(link: String?, minutes: Int, MailOccasion)
    case factorAdded(MailFactor, MailOccasion)
    case factorRemoved(MailFactor, MailOccasion)
    /// By the operator; the link, where there is one, leads to a new one.
    case factorsReset(link: String?, MailOccasion)
    case backupCodeUsed(left: Int, MailOccasion)
    case backupCodesRenewed(MailOccasion)
    /// Too many wrong codes of a second factor.
    case codesLocked(minutes: Int, MailOccasion)
    /// Wrong codes behind a first proof that was right, fewer than lock.
    case wrongCodes(MailOccasion)
    /// Whoever is known there can sign in to the account. The provider by its id, which is the operator's.
    case socialAccountLinked(provider: String, MailOccasion)
    case socialAccountUnlinked(provider: String, MailOccasion)
    /// How many are left of the codes for a lost second factor.
    case fewBackupCodes(left: Int)
    /// Someone registered with the address of an account that exists; the link leads to the page for a new password.
    case alreadyRegistered(link: String)
    /// Someone asked for a link for an address that has no account.
    case noAccount
}

/// What a mail calls a second factor.
public enum MailFactor: String, Sendable, Equatable {
    case totp
    case passkey
}

/// The languages that mails are written in.
public enum MailLanguage: String, Sendable, CaseIterable, Codable {
    case english = "en"
    case german = "de"
}

/// A mail that is to be written to somebody.
public struct MailMessage: Sendable {
    /// What it says.
    public var content: MailContent
    /// To whom.
    public var recipient: EmailAddress
    /// In which language.
    public var language: MailLanguage
    /// The account that it is about, for `outbox list`.
    public var userID: String?
    /// When its link ends: it is not sent any more then.
    public var expiresAt: Timestamp?

    /// English, about no account and for ever unless said otherwise.
    public init(
        _ content: MailContent, to recipient: EmailAddress, language: MailLanguage = .english, userID: String? = nil,
        expiresAt: Timestamp? = nil
    ) {
        self.content = content
        self.recipient = recipient
        self.language = language
        self.userID = userID
        self.expiresAt = expiresAt
    }
}
