internal import Core

/// A content taken apart for storage: its template's name, fields that may be read, and at most one that may not.
struct StoredMailContent: Codable, Equatable {
    var template: String
    var fields: [String: String]
    /// The link: kept sealed, never in the clear.
    var link: String?

    init(
        template: MailTemplate, _ fields: [String: String] = [:], link: String? = nil, at occasion: MailOccasion? = nil
    ) {
        self.template = template.rawValue
        self.fields = fields
        self.link = link
        guard let occasion else { return }
        self.fields["at"] = occasion.at.rfc3339
        self.fields["address"] = occasion.address?.description
        self.fields["device"] = occasion.device
    }
}

/// The name of a text in the catalogue.
enum MailTemplate: String, CaseIterable {
    case verifyEmail = "verify_email"
    case magicLink = "magic_link"
    case passwordReset = "password_reset"
    case invitation
    case confirmNewEmail = "confirm_new_email"
    case emailChangeRequested = "email_change_requested"
    case emailChanged = "email_changed"
    case passwordChanged = "password_changed"
    case newDevice = "new_device"
    case apiKeyCreated = "api_key_created"
    case accountLocked = "account_locked"
    case totpAdded = "totp_added"
    case totpRemoved = "totp_removed"
    case passkeyAdded = "passkey_added"
    case passkeyRemoved = "passkey_removed"
    case factorsReset = "factors_reset"
    case backupCodeUsed = "backup_code_used"
    case backupCodesRenewed = "backup_codes_renewed"
    case codesLocked = "codes_locked"
    case wrongCodes = "wrong_codes"
    case fewBackupCodes = "few_backup_codes"
    case alreadyRegistered = "already_registered"
    case noAccount = "no_account"
    case socialAccountLinked = "social_account_linked"
    case socialAccountUnlinked = "social_account_unlinked"
}

extension MailContent {
    var stored: StoredMailContent {
        switch self {
        case .verifyEmail(let link): StoredMailContent(template: .verifyEmail, link: link)
        case .magicLink(let link, let minutes):
            StoredMailContent(template: .magicLink, ["minutes": "\(minutes)"], link: link)
        case .passwordReset(let link, let minutes):
            StoredMailContent(template: .passwordReset, ["minutes": "\(minutes)"], link: link)
        case .invitation(let link, let days):
            StoredMailContent(template: .invitation, ["days": "\(days)"], link: link)
        case .confirmNewEmail(let link): StoredMailContent(template: .confirmNewEmail, link: link)
        case .emailChangeRequested(let email, let occasion):
            StoredMailContent(template: .emailChangeRequested, ["email": email], at: occasion)
        case .emailChanged(let email, let occasion):
            StoredMailContent(template: .emailChanged, ["email": email], at: occasion)
        case .passwordChanged(let occasion): StoredMailContent(template: .passwordChanged, at: occasion)
        case .newDevice(let occasion): StoredMailContent(template: .newDevice, at: occasion)
        case .apiKeyCreated(let name, let prefix, let occasion):
            StoredMailContent(template: .apiKeyCreated, ["name": name, "prefix": prefix], at: occasion)
        case .accountLocked(let link, let minutes, let occasion):
            StoredMailContent(template: .accountLocked, ["minutes": "\(minutes)"], link: link, at: occasion)
        case .factorAdded(let factor, let occasion):
            StoredMailContent(template: factor == .totp ? .totpAdded : .passkeyAdded, at: occasion)
        case .factorRemoved(let factor, let occasion):
            StoredMailContent(template: factor == .totp ? .totpRemoved : .passkeyRemoved, at: occasion)
        case .factorsReset(let link, let occasion):
            StoredMailContent(template: .factorsReset, link: link, at: occasion)
        case .backupCodeUsed(let left, let occasion):
            StoredMailContent(template: .backupCodeUsed, ["left": "\(left)"], at: occasion)
        case .backupCodesRenewed(let occasion): StoredMailContent(template: .backupCodesRenewed, at: occasion)
        case .codesLocked(let minutes, let occasion):
            StoredMailContent(template: .codesLocked, ["minutes": "\(minutes)"], at: occasion)
        case .wrongCodes(let occasion): StoredMailContent(template: .wrongCodes, at: occasion)
        case .fewBackupCodes(let left): StoredMailContent(template: .fewBackupCodes, ["left": "\(left)"])
        case .alreadyRegistered(let link): StoredMailContent(template: .alreadyRegistered, link: link)
        case .noAccount: StoredMailContent(template: .noAccount)
        case .socialAccountLinked(let provider, let occasion):
            StoredMailContent(template: .socialAccountLinked, ["provider": provider], at: occasion)
        case .socialAccountUnlinked(let provider, let occasion):
            StoredMailContent(template: .socialAccountUnlinked, ["provider": provider], at: occasion)
        }
    }
}
