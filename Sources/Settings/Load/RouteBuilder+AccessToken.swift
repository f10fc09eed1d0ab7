import Policy

extension RouteBuilder {
    /// `routes[].forward_access_token`.
    func readForwardAccessToken(_ view: MapView, _ sources: CredentialSources, _ offered: [String]) -> Bool {
        guard view.boolean("forward_access_token") == true, let value = view.value("forward_access_token") else {
            return false
        }
        guard !providers.isEmpty else {
            reading.problem(
                value.location, value.path, "there is no provider whose token it could be: login.providers is empty")
            return false
        }
        guard !(offered.isEmpty ? providers : offered).allSatisfy(tokenless.contains) else {
            reading.problem(
                value.location, value.path,
                "people come to this route by Apple alone, and Apple's access token opens nothing")
            return false
        }
        // Only a session has begun by a provider.
        if sources.isDisjoint(with: [.cookie, .authorization]) {
            reading.problem(
                value.location, value.path,
                "no session reaches this route, so there is never a token: credentials_from has neither cookie nor "
                    + "authorization")
        }
        return true
    }
}
