internal import LMDB

/// Every table of this version. All are opened at the start, none later.
///
/// ```
///   users             user id                      the account
///   users_by_email    canonical e-mail             user id
///   users_by_name     folded user name             user id; stays behind a rename or delete
///   sessions          session id                   the session
///   sessions_by_user  user id, session id
///   session_secrets   SHA-256 of a cookie          session, which cookie
///   refresh_tokens    SHA-256 of the token         session; used or not
///   passwords         user id                      the password's hash (apart from the account, so that hashing
///                                                  anew does not make caches decode again)
///   one_time_links    SHA-256 of the token         purpose, user, expiry
///   links_by_user     user id, SHA-256
///   known_devices     user id, SHA-256             a device that the user has signed in with
///   totp              user id                      the authenticator, its secret sealed
///   backup_codes      user id                      digests of the codes that are left
///   passkeys          SHA-256 of its id            a passkey's public key
///   passkeys_by_user  user id, SHA-256
///   lockouts          SHA-256 of whom              failed sign-ins
///   api_keys          SHA-256 of the key           the key's record
///   api_keys_by_id    key id                       SHA-256 of the key
///   api_keys_by_user  user id, key id
///   last_uses         key or session id            when and from where it was last used (apart from the records,
///                                                  so that use does not make caches decode again)
///   audit             sequence                     the event, as hashed
///   audit_by_user     user id or name, sequence
///   audit_head        "head"                       where the chain ends
///   access            period, SHA-256 of who/what  the aggregate behind an `access` event
///   refusals          sequence                     a refused request, for a day
///   refusals_by_id    digest of the request's id, sequence
///   blocks            SHA-256 of whom              the block
///   keys              key id                       a signing key, its private half sealed
///   outbox            mail id                      a mail that was not handed over yet
///   outbox_due        time, mail id                when it is looked at; a dead one has no such row
///   webhooks          webhook id                   how far it has come in the audit log
///   webhook_retries   webhook id, time.event.id    when an event in `outbox` is tried again
///   social_accounts   SHA-256 of issuer, subject   the account that this identity signs in to
///   social_by_user    user id, SHA-256
///   sessions_by_provider   SHA-256 of issuer and the provider's session, session id
///   provider_tokens   session id                   what the session's provider has given for its apps, sealed
///   logout_tokens     SHA-256 of issuer and jti    a provider's logout token that was carried out, while it is good;
///                                                  also: the provider's session that it has ended, for a while
///   expiries          time, kind and id            when the sweeper looks at a row
///   meta              name                         what there is one of
/// ```
enum Tables {
    static let users = Table<String, UserRecord>("users")
    static let usersByEmail = Table<String, ReferenceRecord>("users_by_email")
    static let usersByName = Table<String, NameRecord>("users_by_name")
    static let sessions = Table<String, SessionRecord>("sessions")
    static let sessionsByUser = Table<KeyPair<String, String>, EmptyRecord>("sessions_by_user")
    static let sessionSecrets = Table<[UInt8], SessionSecretRecord>("session_secrets")
    static let refreshTokens = Table<[UInt8], RefreshTokenRecord>("refresh_tokens")
    static let passwords = Table<String, PasswordRecord>("passwords")
    static let oneTimeLinks = Table<[UInt8], LinkRecord>("one_time_links")
    static let linksByUser = Table<KeyPair<String, [UInt8]>, EmptyRecord>("links_by_user")
    static let knownDevices = Table<KeyPair<String, [UInt8]>, KnownDeviceRecord>("known_devices")
    static let totp = Table<String, TOTPRecord>("totp")
    static let backupCodes = Table<String, BackupCodesRecord>("backup_codes")
    static let passkeys = Table<[UInt8], PasskeyRecord>("passkeys")
    static let passkeysByUser = Table<KeyPair<String, [UInt8]>, EmptyRecord>("passkeys_by_user")
    static let lockouts = Table<[UInt8], LockoutRecord>("lockouts")
    static let apiKeys = Table<[UInt8], APIKeyRecord>("api_keys")
    static let apiKeysByID = Table<String, ReferenceRecord>("api_keys_by_id")
    static let apiKeysByUser = Table<KeyPair<String, String>, EmptyRecord>("api_keys_by_user")
    static let lastUses = Table<String, LastUseRecord>("last_uses")
    static let audit = Table<UInt64, StoredEvent>("audit")
    static let auditByUser = Table<KeyPair<String, UInt64>, EmptyRecord>("audit_by_user")
    static let auditHead = Table<String, AuditHead>("audit_head")
    static let access = Table<[UInt8], AccessRecord>("access")
    static let refusals = Table<UInt64, RefusalRecord>("refusals")
    static let refusalsByID = Table<KeyPair<[UInt8], UInt64>, EmptyRecord>("refusals_by_id")
    static let blocks = Table<[UInt8], BlockRecord>("blocks")
    static let keys = Table<String, SigningKeyRecord>("keys")
    static let outbox = Table<String, OutboxRecord>("outbox")
    static let outboxDue = Table<KeyPair<UInt64, String>, EmptyRecord>("outbox_due")
    static let webhooks = Table<String, WebhookRecord>("webhooks")
    static let webhookRetries = Table<KeyPair<String, String>, EmptyRecord>("webhook_retries")
    static let socialAccounts = Table<[UInt8], SocialAccountRecord>("social_accounts")
    static let socialAccountsByUser = Table<KeyPair<String, [UInt8]>, EmptyRecord>("social_by_user")
    static let sessionsByProvider = Table<KeyPair<String, String>, EmptyRecord>("sessions_by_provider")
    static let providerTokens = Table<String, ProviderTokensRecord>("provider_tokens")
    static let logoutTokens = Table<[UInt8], UsedLogoutToken>("logout_tokens")
    static let expiries = Table<KeyPair<UInt64, String>, EmptyRecord>("expiries")
    static let meta = Table<String, MetaRecord>("meta")

    static let headKey = "head"

    static var descriptions: [TableDescription] { all.map(\.description) }

    static let all: [StoredTable] = [
        StoredTable(users), StoredTable(usersByEmail), StoredTable(usersByName), StoredTable(sessions),
        StoredTable(sessionsByUser), StoredTable(sessionSecrets), StoredTable(refreshTokens), StoredTable(passwords),
        StoredTable(oneTimeLinks), StoredTable(linksByUser), StoredTable(knownDevices), StoredTable(totp),
        StoredTable(backupCodes), StoredTable(passkeys), StoredTable(passkeysByUser), StoredTable(lockouts),
        StoredTable(apiKeys), StoredTable(apiKeysByID), StoredTable(apiKeysByUser), StoredTable(lastUses),
        StoredTable(audit), StoredTable(auditByUser), StoredTable(auditHead), StoredTable(access),
        StoredTable(refusals), StoredTable(refusalsByID), StoredTable(blocks), StoredTable(keys), StoredTable(outbox),
        StoredTable(outboxDue), StoredTable(webhooks), StoredTable(webhookRetries), StoredTable(socialAccounts),
        StoredTable(socialAccountsByUser), StoredTable(sessionsByProvider), StoredTable(providerTokens),
        StoredTable(logoutTokens), StoredTable(expiries), StoredTable(meta),
    ]
}
