internal import Core

/// Whose share of what is kept in memory a request takes: an address, or one /48 of IPv6, since a household or a server
/// has its choice of the networks below that.
enum ClientPlace {
    static func text(_ address: IPAddress?) -> String {
        guard let address else { return "unknown" }
        switch address.family {
        case .v4: return address.description
        case .v6: return "v6 \(address.bits >> 80)"
        }
    }
}

extension PortalRequest {
    /// Whose share a sign-in that begins with this request takes.
    var place: String { ClientPlace.text(local.clientAddress) }
}
