/// Addresses that are answered before any route is asked, for whoever wants to know without asking a server.
public enum OwnAddress: Sendable, Equatable {
    /// The portal's pages and its API; on another host than the portal's, the way there.
    case portal
    /// A check endpoint, which nobody but a trusted proxy may ask.
    case check

    /// Nil when it is for the routes.
    ///
    /// - Parameters:
    ///   - path: as it stands in a request line, without its query.
    ///   - isPortalHost: the host is that of `public_url`.
    public init?(path: String, isPortalHost: Bool) {
        var path = path
        let own = path.withUTF8 { OwnPath(UnsafeRawBufferPointer($0)) }
        switch own {
        case .check: self = .check
        case .portal: self = .portal
        case .wellKnown where isPortalHost: self = .portal
        case .wellKnown, nil: return nil
        }
    }
}
