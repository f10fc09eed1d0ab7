public import Core
public import Policy

extension Settings {
    /// Where a listener takes connections.
    public enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
        /// An address or a host name (an IPv6 address without brackets) and a port; 0 is any free one.
        case tcp(host: String, port: UInt16)
        /// A unix socket by its path.
        case unix(path: String)
        /// The sockets that the service manager passes under this name.
        case systemd(name: String)

        /// As it is written in the configuration.
        public var description: String {
            switch self {
            case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): "unix:\(path)"
            case .systemd(let name): "systemd:\(name)"
            }
        }
    }

    /// `reload`: when a changed configuration is put into force.
    public enum Reload: String, Sendable {
        /// When somebody says so.
        case signal
        /// Also when one of its files has changed.
        case watch
    }

    /// One item of `listen`.
    public struct Listener: Sendable, Hashable {
        /// What a listener answers.
        public enum Service: String, Sendable, CaseIterable {
            case apps, portal, check
        }

        /// Where.
        public var address: ListenAddress
        /// What; the rest is 404.
        public var services: Set<Service>
        /// The mode of a unix socket's file.
        public var unixMode: UInt16
        /// The group of a unix socket's file; nil: the process's own.
        public var unixGroup: String?
        /// `tls`; nil: plain.
        public var tls: ListenerTLS?
        /// `redirect_to_https`.
        public var redirectsToHTTPS: Bool
        /// `proxy_protocol`: connections begin with a header that says whose they are.
        public var takesProxyProtocol: Bool
    }

    /// `trusted_proxies`.
    public struct TrustedProxies: Sendable, Hashable {
        /// Peers by address.
        public var networks: [Network]
        /// Whoever may connect to a unix socket.
        public var unix: Bool
    }

    /// `log`.
    public struct Log: Sendable, Hashable {
        /// How a line looks.
        public enum Format: String, Sendable {
            case auto, text, json
        }

        /// The least that is logged; the names of swift-log.
        public enum Level: String, Sendable {
            case trace, debug, info, notice, warning, error, critical
        }

        /// Which requests are logged.
        public enum Requests: Sendable, Hashable {
            case none, denied, all
            /// The denied ones and this share of the others, in percent, more than 0 and at most 100.
            case share(percent: Double)
        }

        /// How a line looks.
        public var format: Format
        /// The least that is logged.
        public var level: Level
        /// Which requests are logged.
        public var requests: Requests
    }

    /// One of `upstreams`.
    public struct Upstream: Sendable, Hashable {
        /// The Host that the app sees.
        public enum HostHeader: String, Sendable {
            case preserve, upstream
        }

        /// One address of an app.
        public enum Endpoint: Sendable, Hashable, CustomStringConvertible {
            /// An address or a host name (an IPv6 address without brackets) and a port.
            case http(host: String, port: UInt16)
            /// The same, by TLS.
            case https(host: String, port: UInt16)
            /// The same, plainly and in HTTP/2 without asking.
            case h2c(host: String, port: UInt16)
            /// A unix socket by its path.
            case unix(path: String)

            /// As it is written in the configuration.
            public var description: String {
                switch self {
                case .http(let host, let port): "http://" + Self.authority(host, port)
                case .https(let host, let port): "https://" + Self.authority(host, port)
                case .h2c(let host, let port): "h2c://" + Self.authority(host, port)
                case .unix(let path): "unix:\(path)"
                }
            }

            /// `HOST:PORT`, with brackets where they are needed; nil for a unix socket.
            public var authority: String? {
                switch self {
                case .http(let host, let port), .https(let host, let port), .h2c(let host, let port):
                    Self.authority(host, port)
                case .unix: nil
                }
            }

            private static func authority(_ host: String, _ port: UInt16) -> String {
                host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            }
        }

        /// The name that routes use.
        public var name: String
        /// At least one.
        public var endpoints: [Endpoint]
        /// `host`.
        public var hostHeader: HostHeader
        /// `connect_timeout`.
        public var connectTimeout: Duration
        /// `first_byte_timeout`.
        public var firstByteTimeout: Duration
        /// `idle_timeout`.
        public var idleTimeout: Duration
        /// `health`; nil: none.
        public var health: HealthCheck?
        /// `tls`; nil where no address is https.
        public var tls: UpstreamTLS?
    }

    /// `upstreams.*.health`.
    public struct HealthCheck: Sendable, Hashable {
        /// `path`: begins with `/`, and fits a request line as it is.
        public var path: String
        /// `every`.
        public var every: Duration
    }

    /// One of `routes`.
    public struct Route: Sendable {
        /// Everything that a verdict and the identity headers need.
        public var policy: RouteDescription
        /// The name of an upstream that exists; nil: checks only.
        public var upstream: String?
        /// `strip_prefix`: empty, or a path that begins with `/` and does not end with it.
        public var stripPrefix: String
        /// `forward_credential`: a foreign JWT goes on to the app.
        public var forwardsCredential: Bool
        /// `max_body` in bytes; nil: any.
        public var maximumBody: UInt64?
        /// `providers`: the only sign-in that is offered for it; none: all.
        public var providers: [String]
    }

    /// One of `jwt.issuers`.
    public struct Issuer: Sendable {
        /// Where its keys are.
        public enum Keys: Sendable {
            /// `jwks_url`: https, or http on loopback.
            case url(String)
            /// `jwks_file`: its path and what was in it, which may be symmetric keys. Nil when secrets were left alone.
            case file(path: String, content: SecretBytes?)
            /// The issuer's `/.well-known/openid-configuration` names them.
            case discovery
        }

        /// The names of the claims that are read.
        public struct Claims: Sendable, Hashable {
            public var user: String
            public var email: String
            public var groups: String
            public var scopes: String
        }

        /// In logs.
        public var id: String
        /// Its `iss`, compared exactly.
        public var issuer: String
        /// At least one; one of them must be in `aud`.
        public var audiences: [String]
        /// Where its keys are.
        public var keys: Keys
        /// JWS names (RFC 7518 section 3.1); those with HS only beside ``Keys/file(path:content:)``.
        public var algorithms: [String]
        /// The names of the claims that are read.
        public var claims: Claims
        /// Before every user.
        public var userPrefix: String
        /// Before every group.
        public var groupsPrefix: String
        /// Its e-mails count as verified.
        public var emailTrusted: Bool
        /// Which local account one of its users is.
        public var matching: ForeignIdentity.Matching
    }

    /// `api_keys`.
    public struct APIKeys: Sendable, Hashable {
        /// What owners may give their keys.
        public struct Scope: Sendable, Hashable {
            /// As rules name it.
            public var name: String
            /// For people.
            public var summary: String
        }

        /// In the order written.
        public var scopes: [Scope]
        /// Every new key must name its routes.
        public var requiresRoutes: Bool
        /// Of a key made without one.
        public var defaultLifetime: Duration
        /// No new key lasts longer.
        public var maximumLifetime: Duration
    }

    /// `audit`.
    public struct Audit: Sendable, Hashable {
        /// How often one credential's use of one route is written down.
        public enum Access: String, Sendable {
            case none, daily, hourly
        }

        /// How often one credential's use of one route is written down.
        public var access: Access
        /// How long events are kept.
        public var retention: Duration
    }
}
