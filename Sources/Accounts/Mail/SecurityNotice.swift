/// What people are told of without having asked for it; the raw value is the key below `notifications`.
public enum SecurityNotice: String, Sendable, CaseIterable {
    /// A sign-in from a device that was not seen before.
    case newDevice = "new_device"
    case passwordChanged = "password_changed"
    /// The wish for another address, and the change.
    case emailChanged = "email_changed"
    case apiKeyCreated = "api_key_created"
    /// Without it nobody gets the link that ends a lock.
    case accountLocked = "account_locked"
    /// A second factor added or removed, backup codes renewed.
    case factorsChanged = "factors_changed"
    /// A backup code used, and how few are left.
    case backupCodeUsed = "backup_code_used"
    /// Somebody elsewhere can sign in to the account from now on.
    case socialAccountLinked = "social_account_linked"
    case socialAccountUnlinked = "social_account_unlinked"

    /// Its bit in a set.
    fileprivate var bit: UInt32 {
        switch self {
        case .newDevice: 1
        case .passwordChanged: 2
        case .emailChanged: 4
        case .apiKeyCreated: 8
        case .accountLocked: 16
        case .factorsChanged: 32
        case .backupCodeUsed: 64
        case .socialAccountLinked: 128
        case .socialAccountUnlinked: 256
        }
    }
}

/// Which notices are mailed (`notifications`).
public struct SecurityNotices: Sendable, Equatable {
    let bits: UInt32

    init(bits: UInt32) {
        self.bits = bits
    }

    /// These and no others.
    public init(_ notices: Set<SecurityNotice>) {
        bits = notices.reduce(0) { $0 | $1.bit }
    }

    /// The default of the configuration file.
    public static let all = SecurityNotices(Set(SecurityNotice.allCases))

    func contains(_ notice: SecurityNotice) -> Bool { bits & notice.bit != 0 }
}

extension MailContent {
    /// Which notice it is; nil for what somebody has asked for.
    var notice: SecurityNotice? {
        switch self {
        case .newDevice: .newDevice
        case .passwordChanged: .passwordChanged
        case .emailChangeRequested, .emailChanged: .emailChanged
        case .apiKeyCreated: .apiKeyCreated
        case .accountLocked, .codesLocked, .wrongCodes: .accountLocked
        case .factorAdded, .factorRemoved, .backupCodesRenewed: .factorsChanged
        case .backupCodeUsed, .fewBackupCodes: .backupCodeUsed
        case .socialAccountLinked: .socialAccountLinked
        case .socialAccountUnlinked: .socialAccountUnlinked
        // The link of a reset is the only way to a new factor.
        case .factorsReset: nil
        case .verifyEmail, .magicLink, .passwordReset, .invitation, .confirmNewEmail, .alreadyRegistered, .noAccount:
            nil
        }
    }
}
