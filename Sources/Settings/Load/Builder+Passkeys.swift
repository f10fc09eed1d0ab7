import Core
import Policy

/// Reads what is about passkeys.
extension Builder {
    func readPasskeys(_ view: MapView, publicURL: Origin?) -> Settings.Passkeys {
        let host = publicURL?.host ?? ""
        let isUsable = canUsePasskeys(publicURL)
        let enabled = view.boolean("enabled")
        if enabled == true, publicURL != nil, !isUsable {
            reading.problem(
                view.location(of: "enabled"), Problem.join(view.path, "enabled"),
                "browsers use passkeys on https and on localhost only, by name: public_url is none of these")
        }
        return Settings.Passkeys(
            isEnabled: enabled ?? isUsable, relyingParty: readRelyingParty(view, host: host),
            origins: readPasskeyOrigins(view),
            userVerification: view.choice("user_verification", of: Settings.Passkeys.UserVerification.self)
                ?? .preferred)
    }

    private func canUsePasskeys(_ publicURL: Origin?) -> Bool {
        guard let publicURL else { return false }
        let host = publicURL.host
        if Loopback.isLocalhost(host) { return true }
        return publicURL.scheme == .https && !host.hasPrefix("[") && IPAddress(host) == nil
    }

    /// A browser lets a page use its own host or a domain above it.
    private func readRelyingParty(_ view: MapView, host: String) -> String {
        guard let (text, value) = view.filled("rp_id") else { return host }
        guard let domain = HostName.canonical(configured: text), !domain.hasPrefix("["), IPAddress(domain) == nil else {
            reading.refuse(value, expected: "a domain like example.com, without a scheme or a port")
            return host
        }
        guard host.isEmpty || domain == host || (host.hasSuffix("." + domain) && domain.contains(".")) else {
            reading.problem(
                value.location, value.path,
                "\(domain) is neither \(host), the host of public_url, nor a domain above it, so browsers would refuse it"
            )
            return host
        }
        return domain
    }

    private func readPasskeyOrigins(_ view: MapView) -> [String] {
        (view.texts("origins") ?? []).compactMap { text, value in
            guard let origin = Origin(text), origin.scheme == .https || origin.isLoopback else {
                reading.refuse(value, expected: "an https origin like https://example.org, without a path")
                return nil
            }
            return origin.description
        }
    }
}
