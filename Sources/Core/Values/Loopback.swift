/// What cannot leave this machine.
public enum Loopback {
    /// `localhost` and the names below it, which browsers take for this machine without asking anybody (RFC 6761 section
    /// 6.3).
    public static func isLocalhost(_ host: String) -> Bool {
        let host = host.lowercased()
        return host == "localhost" || host.hasSuffix(".localhost")
    }

    /// `localhost`, an address of 127.0.0.0/8, or `::1`, in brackets or without. Names below `localhost` are not: some
    /// resolvers ask the network for them.
    public static func isHost(_ host: String) -> Bool {
        if host.lowercased() == "localhost" { return true }
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        guard let address = IPAddress(bare) else { return false }
        switch address.family {
        case .v4: return address.bits >> 24 == 127
        case .v6: return address.bits == 1
        }
    }
}
