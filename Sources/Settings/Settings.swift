public import Core
public import Policy

/// A valid configuration: every key with its value or its default, checked and typed. Plain values; nothing here looks
/// at files or at the environment again.
public struct Settings: Sendable {
    /// `public_url`.
    public var publicURL: Origin
    /// `listen`; at least one.
    public var listeners: [Listener]
    /// `monitor_listen`.
    public var monitorListener: ListenAddress
    /// `data_dir`, from the folder of the configuration.
    public var dataFolder: String
    /// `store.max_size` in bytes.
    public var storeMaximumSize: UInt64
    /// `master_key`: 32 bytes, decoded. Nil when secrets were left alone.
    public var masterKey: SecretBytes?
    /// `previous_master_keys`, likewise.
    public var previousMasterKeys: [SecretBytes]
    /// `workers`; nil: as many as there are CPUs.
    public var workers: Int?
    /// `reload`.
    public var reload: Reload
    /// `drain`.
    public var drain: Duration
    /// `trusted_proxies`.
    public var trustedProxies: TrustedProxies
    /// `proxy_secret`. Nil when there is none or secrets were left alone; see ``requiresProxySecret``.
    public var proxySecret: SecretBytes?
    /// `proxy_secret` is not `none`: without the secret in hand no peer is trusted.
    public var requiresProxySecret: Bool
    /// `log`.
    public var log: Log
    /// `upstreams`, in the order written.
    public var upstreams: [Upstream]
    /// `routes`, those of included files first.
    public var routes: [Route]
    /// `jwt.issuers`.
    public var issuers: [Issuer]
    /// `sessions`.
    public var sessions: Sessions
    /// `tokens`.
    public var tokens: Tokens
    /// `api_keys`.
    public var apiKeys: APIKeys
    /// `login`.
    public var login: Login
    /// `limits`.
    public var limits: Limits
    /// `mail`.
    public var mail: Mail
    /// `notifications`.
    public var notifications: Notifications
    /// `webhooks`, in the order written.
    public var webhooks: [Webhook]
    /// `audit`.
    public var audit: Audit
    /// `branding`.
    public var branding: Branding

    /// Compiles the routes. What was loaded without problems compiles.
    ///
    /// - Parameter generation: counts reloads.
    public func snapshot(generation: UInt64 = 0) throws(PolicyError) -> Snapshot {
        try Snapshot.compile(routes.map(\.policy), generation: generation)
    }
}
