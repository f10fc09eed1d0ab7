internal import Core
internal import JOSE

/// Who came from GitHub, by its REST API: the user, their verified primary address, and their organisations and teams
/// as groups (`org`, `org/team`).
struct GitHubPerson {
    /// How many pages of a list are read; what is beyond is as if it were not there.
    static let maximumPages = 5
    static let pageSize = 100

    let provider: Provider
    let accessToken: String

    private var configuration: ProviderConfiguration { provider.configuration }

    /// `api.github.com`, or the API of an Enterprise Server.
    private var api: String {
        configuration.issuer == "https://github.com" ? "https://api.github.com" : configuration.issuer + "/api/v3"
    }

    func read() async throws(FlowFailure) -> ProvedPerson {
        let user = try await provider.document(api + "/user", accessToken)
        // The login can be changed and taken by somebody else; the number never is.
        guard let id = user["id"]?.integer, id > 0 else {
            throw FlowFailure(.badUserInfo, "GitHub's answer has no id of a user")
        }
        let email = try await primaryEmail()
        var organizations: [String] = []
        var teams: [String] = []
        if configuration.scopes.contains("read:org") {
            organizations = try await list("/user/orgs").compactMap { $0["login"]?.string }
            teams = try await list("/user/teams").compactMap { team in
                guard let organization = team["organization"]?["login"]?.string, let slug = team["slug"]?.string
                else { return nil }
                return "\(organization)/\(slug)"
            }
        }
        let claimed = organizations + teams
        try AcceptanceCheck(
            acceptance: configuration.acceptance,
            person: FlowFailure.RefusedPerson(issuer: configuration.issuer, subject: String(id))
        ).check(
            email: email, emailIsVerified: email != nil, hostedDomain: nil, groups: claimed,
            organizations: organizations.map { $0.lowercased() })
        return ProvedPerson(
            provider: configuration.id, issuer: configuration.issuer, subject: String(id), email: email,
            emailIsVerified: email != nil, name: PersonDocument(user).name ?? "",
            groups: configuration.groupsClaim == nil ? [] : provider.groups(claimed), sessionID: nil)
    }

    /// The address that is both; nil where there is none. The one in the user's profile is whatever they wrote there.
    private func primaryEmail() async throws(FlowFailure) -> EmailAddress? {
        try await list("/user/emails").first { $0["primary"]?.bool == true && $0["verified"]?.bool == true }
            .flatMap { $0["email"]?.string }.flatMap { EmailAddress($0) }
    }

    /// The elements of a list, page by page; the addresses of pages are made here and not taken from the answer.
    private func list(_ path: String) async throws(FlowFailure) -> [JSONValue] {
        var all: [JSONValue] = []
        for page in 1...Self.maximumPages {
            let document = try await provider.document(
                "\(api)\(path)?per_page=\(Self.pageSize)&page=\(page)", accessToken)
            guard let elements = document.elements else {
                throw FlowFailure(.badUserInfo, "GitHub's answer is no list")
            }
            all += elements
            if elements.count < Self.pageSize { break }
        }
        return all
    }
}
