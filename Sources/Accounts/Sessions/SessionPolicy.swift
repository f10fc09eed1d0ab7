/// How long sessions last (`sessions` in the configuration).
public struct SessionPolicy: Sendable {
    /// A session that is not used for so long ends.
    public var idle: Duration
    /// However much it is used.
    public var lifetime: Duration
    /// Instead of both, where the person asked to be remembered.
    public var remember: Duration

    /// The configuration's defaults.
    public init(
        idle: Duration = .seconds(12 * 3600), lifetime: Duration = .seconds(86_400),
        remember: Duration = .seconds(30 * 86_400)
    ) {
        self.idle = idle
        self.lifetime = lifetime
        self.remember = remember
    }
}

/// How long tokens last (`tokens` in the configuration).
public struct TokenPolicy: Sendable {
    /// Of an access token.
    public var accessLifetime: Duration
    /// Of a refresh token, and so of a session that nobody refreshes.
    public var refreshLifetime: Duration

    /// The configuration's defaults.
    public init(accessLifetime: Duration = .seconds(900), refreshLifetime: Duration = .seconds(30 * 86_400)) {
        self.accessLifetime = accessLifetime
        self.refreshLifetime = refreshLifetime
    }
}
