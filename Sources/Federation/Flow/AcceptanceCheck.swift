internal import Core

/// Holds a person against `accept`. What the provider did not say does not hold.
struct AcceptanceCheck {
    let acceptance: ProviderConfiguration.Acceptance
    /// Who is held against it.
    let person: FlowFailure.RefusedPerson

    /// - Parameters:
    ///   - groups: as the provider calls them.
    ///   - organizations: in lower case.
    func check(
        email: EmailAddress?, emailIsVerified: Bool, hostedDomain: String?, groups: [String], organizations: [String]
    ) throws(FlowFailure) {
        let verified = emailIsVerified ? email : nil
        try require(acceptance.emails, "e-mail address") { allowed in verified.map { allowed.contains($0) } ?? false }
        try require(acceptance.domains, "e-mail domain") { allowed in
            verified.map { allowed.contains($0.domain) } ?? false
        }
        try require(acceptance.hostedDomains, "hosted domain") { allowed in
            hostedDomain.map { allowed.contains($0.lowercased()) } ?? false
        }
        try require(acceptance.groups, "group") { allowed in
            groups.contains { group in allowed.contains { $0.utf8.elementsEqual(group.utf8) } }
        }
        try require(acceptance.organizations, "organisation") { allowed in
            organizations.contains { allowed.contains($0) }
        }
    }

    private func require<Value>(
        _ allowed: [Value]?, _ what: String, _ holds: ([Value]) -> Bool
    ) throws(FlowFailure) {
        guard let allowed else { return }
        guard holds(allowed) else {
            throw FlowFailure(.notAccepted, "the person has no \(what) that is accepted", person: person)
        }
    }
}
