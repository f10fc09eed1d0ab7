public import Core

extension Snapshot {
    /// The groups that a page of a host may be told: those that every route of it shows. Pages of one host can read what
    /// each other are told, and which of them asks is not known; so what one route hides is hidden from all.
    ///
    /// - Parameter host: canonical.
    public func groups(of identity: Identity, shownOn host: String) -> [String] {
        let bytes = Array(host.utf8)
        let candidates = hosts.candidates(bytes.span, bytes.indices).map { routes[$0] }
        guard let first = candidates.first else { return [] }
        let others = candidates.dropFirst().map { Set(IdentityHeaders.shownGroups(of: identity, on: $0).groups) }
        return IdentityHeaders.shownGroups(of: identity, on: first).groups.filter { group in
            others.allSatisfy { $0.contains(group) }
        }
    }
}
