public import Core

/// Parts of the configuration that are about who is told of what.
extension Settings {
    /// `notifications`: which mails people get that they have not asked for.
    public struct Notifications: Sendable, Hashable {
        /// `new_device`.
        public var newDevice: Bool
        /// `password_changed`.
        public var passwordChanged: Bool
        /// `email_changed`.
        public var emailChanged: Bool
        /// `api_key_created`.
        public var apiKeyCreated: Bool
        /// `account_locked`.
        public var accountLocked: Bool
        /// `factors_changed`.
        public var factorsChanged: Bool
        /// `backup_code_used`.
        public var backupCodeUsed: Bool
        /// `social_account_linked`.
        public var socialAccountLinked: Bool
        /// `social_account_unlinked`.
        public var socialAccountUnlinked: Bool
    }

    /// An item of `webhooks`.
    public struct Webhook: Sendable {
        /// https, or http to loopback.
        public var url: String
        /// Nil when secrets were left alone.
        public var secret: SecretBytes?
        /// Event types, beginnings of such with a `*` at the end, or `*`.
        public var events: [String]
    }
}
