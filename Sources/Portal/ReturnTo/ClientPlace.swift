internal import Core

/// Whose share of what is kept in memory a request takes: an IPv4 address, or a /64 in a /48 of IPv6, since a household
/// or a server has its choice of the networks in its /48, and a provider may hand out its own by the /64.
struct ClientPlace: Hashable {
    /// Whose share is bounded whatever is below it.
    var site: String
    /// Empty where there is nothing below the site.
    var network = ""
}

extension ClientPlace {
    /// - Parameter address: nil: clients of an unknown address are one place.
    init(_ address: IPAddress?) {
        guard let address else {
            self.init(site: "unknown")
            return
        }
        switch address.family {
        case .v4: self.init(site: address.description)
        case .v6: self.init(site: "v6 \(address.bits >> 80)", network: "v6 \(address.bits >> 64)")
        }
    }
}

extension PortalRequest {
    /// Whose share a sign-in that begins with this request takes.
    var place: ClientPlace { ClientPlace(local.clientAddress) }
}
