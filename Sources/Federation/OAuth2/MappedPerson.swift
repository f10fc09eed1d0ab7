internal import Core
internal import JOSE

/// Who came from a provider that speaks OAuth 2.0 alone: the document that the access token opens, read as the operator
/// has said. There is no signature; the code, the verifier and the client's secret tie the document to this flow.
struct MappedPerson {
    let provider: Provider
    let accessToken: String

    private var configuration: ProviderConfiguration { provider.configuration }

    func read() async throws(FlowFailure) -> ProvedPerson {
        guard let mapping = configuration.oauth2 else {
            throw FlowFailure(.badMetadata, "the provider has no endpoints")
        }
        let document = try await provider.document(mapping.userInfoEndpoint, accessToken)
        guard document.isObject else { throw FlowFailure(.badUserInfo, "the user info is no object") }
        let subject = try subject(document.at(mapping.subject))
        let email = document.at(mapping.email)?.string.flatMap { EmailAddress($0) }
        let isVerified = email != nil && (mapping.emailTrusted || says(mapping.emailVerified, document))
        let claimed = mapping.groups.flatMap { document.at($0) }.flatMap { $0.string.map { [$0] } ?? $0.strings } ?? []
        try AcceptanceCheck(
            acceptance: configuration.acceptance,
            person: FlowFailure.RefusedPerson(issuer: configuration.issuer, subject: subject)
        ).check(email: email, emailIsVerified: isVerified, hostedDomain: nil, groups: claimed, organizations: [])
        return ProvedPerson(
            provider: configuration.id, issuer: configuration.issuer, subject: subject, email: email,
            emailIsVerified: isVerified, name: PersonDocument.usableName(document.at(mapping.name)?.string) ?? "",
            groups: provider.groups(claimed), sessionID: nil)
    }

    /// A text, or a whole number as its digits: what a person is known by here for ever.
    private func subject(_ value: JSONValue?) throws(FlowFailure) -> String {
        let text = value.flatMap { $0.string ?? $0.integer.map { String($0) } }
        guard let text, (1...255).contains(text.utf8.count), ClaimReader.isPlain(text) else {
            throw FlowFailure(.badUserInfo, "the user info has no usable subject")
        }
        return text
    }

    /// `true`, or that word: the operator has named the member for nothing else.
    private func says(_ path: ClaimPath?, _ document: JSONValue) -> Bool {
        guard let value = path.flatMap({ document.at($0) }) else { return false }
        return value.bool == true || value.string == "true"
    }
}

extension JSONValue {
    /// What stands there; nil for nothing.
    func at(_ path: ClaimPath) -> JSONValue? {
        var value: JSONValue? = self
        for segment in path.segments {
            guard let current = value else { return nil }
            if let elements = current.elements {
                value = ClaimPath.index(segment).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            } else {
                value = current[segment]
            }
        }
        return value
    }
}
