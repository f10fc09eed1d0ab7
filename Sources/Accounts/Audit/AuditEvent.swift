public import Core

/// What happened; one vocabulary for the command line, exports, API and webhooks.
public enum AuditEventType: String, Sendable, CaseIterable {
    case userAdded = "user_added"
    case userRenamed = "user_renamed"
    case userGroupsChanged = "user_groups_changed"
    case userDisabled = "user_disabled"
    case userEnabled = "user_enabled"
    case userDeleted = "user_deleted"
    case apiKeyCreated = "api_key_created"
    case apiKeysImported = "api_keys_imported"
    case apiKeyRevoked = "api_key_revoked"
    case apiKeyRotated = "api_key_rotated"
    case tokenIssued = "token_issued"
    case sessionRevoked = "session_revoked"
    /// A person signed in, or tried to.
    case signIn = "sign_in"
    case signOut = "sign_out"
    /// A person proved themselves once more in a session.
    case reauthenticated
    /// All sessions but one, or all.
    case sessionsRevoked = "sessions_revoked"
    /// A refresh token came a second time: somebody has a copy, and the family was ended.
    case refreshTokenReused = "refresh_token_reused"
    case accountLocked = "account_locked"
    case accountUnlocked = "account_unlocked"
    case userRegistered = "user_registered"
    case userUpdated = "user_updated"
    case usersImported = "users_imported"
    case emailVerified = "email_verified"
    case emailChangeRequested = "email_change_requested"
    case emailChanged = "email_changed"
    /// An authenticator was set up; good for nothing until a code proves it.
    case factorSetUp = "factor_set_up"
    case factorAdded = "factor_added"
    case factorRemoved = "factor_removed"
    case passkeyRenamed = "passkey_renamed"
    /// The operator took factors away.
    case factorsReset = "factors_reset"
    case backupCodeUsed = "backup_code_used"
    case backupCodesRenewed = "backup_codes_renewed"
    case passwordChanged = "password_changed"
    case passwordResetRequested = "password_reset_requested"
    case magicLinkRequested = "magic_link_requested"
    /// An identity at a provider signs in to this account from now on.
    case socialAccountLinked = "social_account_linked"
    case socialAccountUnlinked = "social_account_unlinked"
    /// A session has no tokens of its provider any more: too long to be kept, or refused by the provider.
    case providerTokensDropped = "provider_tokens_dropped"
    /// A provider said that sessions are over, or somebody who wanted to be taken for it.
    case providerLogout = "provider_logout"
    /// An API client's sign-in at a provider has come so far that the person was given a code for it.
    case signInCodeIssued = "sign_in_code_issued"
    /// A client came with such a code.
    case signInCodeRedeemed = "sign_in_code_redeemed"
    /// The operator had a link printed.
    case linkCreated = "link_created"
    case signingKeyCreated = "signing_key_created"
    case signingKeyRetired = "signing_key_retired"
    case signingKeyDropped = "signing_key_dropped"
    /// Everything in the store is sealed under another master key.
    case masterKeyRotated = "master_key_rotated"
    case blockAdded = "block_added"
    case blockRemoved = "block_removed"
    /// The operator has a mail tried again that was given up, or that waits.
    case outboxRetried = "outbox_retried"
    /// The operator removed a mail unsent.
    case outboxDropped = "outbox_dropped"
    case requestDenied = "request_denied"
    case access
    case serverStarted = "server_started"
    case serverStopped = "server_stopped"
    /// Another configuration is in force.
    case configReloaded = "config_reloaded"
    /// Another configuration was asked for and not taken; the old one stays.
    case configRefused = "config_refused"
    case storeBackedUp = "store_backed_up"
    case storeRestored = "store_restored"
    /// The server did not stop cleanly: what it had gathered since its last write is lost.
    case auditGap = "audit_gap"
    /// Older events were removed; the chain goes on from the hash that this one names.
    case auditPruned = "audit_pruned"
    /// Events had been appended without the audit key; from here on they are sealed.
    case auditResealed = "audit_resealed"
}

/// A value in an event's `metadata`.
public enum AuditValue: Sendable, Equatable, Codable {
    case string(String)
    case integer(Int64)
    case boolean(Bool)
    case strings([String])

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode([String].self) {
            self = .strings(value)
        } else {
            self = .string(try container.decode(String.self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .string(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .boolean(let value): try container.encode(value)
        case .strings(let value): try container.encode(value)
        }
    }
}

/// An event that is to be appended; the actor, the sequence and the time come from the operation.
public struct NewAuditEvent: Sendable {
    /// What happened.
    public var type: AuditEventType
    /// It was done, not refused.
    public var success: Bool
    /// Why it was refused, or another machine-readable reason.
    public var reason: String?
    /// Whom it is about: the user name.
    public var user: String?
    /// Whom it is about: the id that never changes.
    public var userID: String?
    /// The route's name.
    public var route: String?
    /// The session's id.
    public var session: String?
    /// Whatever else matters; no secrets.
    public var metadata: [String: AuditValue]

    /// An event; whatever does not apply stays nil.
    public init(
        _ type: AuditEventType, success: Bool = true, reason: String? = nil, user: String? = nil, userID: String? = nil,
        route: String? = nil, session: String? = nil, metadata: [String: AuditValue] = [:]
    ) {
        self.type = type
        self.success = success
        self.reason = reason
        self.user = user
        self.userID = userID
        self.route = route
        self.session = session
        self.metadata = metadata
    }
}

/// An event of the audit log. Every member is always printed, `null` where it does not apply.
public struct AuditEvent: Sendable, Codable {
    /// 1 for the first; without gaps.
    public var sequence: UInt64
    /// When it was written.
    public var createdAt: Timestamp
    /// An ``AuditEventType``, or one that a newer version wrote.
    public var type: String
    public var success: Bool
    public var reason: String?
    public var actor: String
    public var user: String?
    public var userID: String?
    public var route: String?
    public var session: String?
    public var ipAddress: String?
    public var userAgent: String?
    public var requestID: String?
    public var metadata: [String: AuditValue]
    /// SHA-256 over the stored bytes of the event before, in hexadecimal; 64 zeros in the first event. Of the store
    /// alone: nobody is shown it, so an event that came from elsewhere has none.
    var previousHash: String?

    private enum CodingKeys: String, CodingKey {
        case sequence, success, reason, actor, user, route, session, metadata
        case createdAt = "created_at"
        case type = "event_type"
        case userID = "user_id"
        case ipAddress = "ip_address"
        case userAgent = "user_agent"
        case requestID = "request_id"
        case previousHash = "previous_hash"
    }

    /// Writes every member of the vocabulary, also those that are nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(sequence, forKey: .sequence)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(type, forKey: .type)
        try container.encode(success, forKey: .success)
        try container.encode(reason, forKey: .reason)
        try container.encode(actor, forKey: .actor)
        try container.encode(user, forKey: .user)
        try container.encode(userID, forKey: .userID)
        try container.encode(route, forKey: .route)
        try container.encode(session, forKey: .session)
        try container.encode(ipAddress, forKey: .ipAddress)
        try container.encode(userAgent, forKey: .userAgent)
        try container.encode(requestID, forKey: .requestID)
        try container.encode(metadata, forKey: .metadata)
    }

    /// As it is stored.
    struct Chained: Encodable {
        let event: AuditEvent

        func encode(to encoder: any Encoder) throws {
            try event.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(event.previousHash, forKey: .previousHash)
        }
    }

    init(
        _ event: NewAuditEvent, sequence: UInt64, createdAt: Timestamp, actor: AuditActor, previousHash: String
    ) {
        self.sequence = sequence
        self.createdAt = createdAt
        type = event.type.rawValue
        success = event.success
        reason = event.reason
        self.actor = actor.name
        user = event.user
        userID = event.userID
        route = event.route
        session = event.session ?? actor.session
        ipAddress = actor.address?.description
        userAgent = actor.userAgent
        requestID = actor.requestID
        metadata = event.metadata
        self.previousHash = previousHash
    }
}
