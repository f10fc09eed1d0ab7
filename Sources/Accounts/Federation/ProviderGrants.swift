internal import Core
internal import LMDB

/// The groups that a link gives its account. There, even if empty, from a sign-in that the provider vouches for until
/// the provider says no or is not configured any more.
struct ProviderGrant: Codable, Equatable {
    var issuer: String
    /// What the provider said at the last sign-in by it.
    var claimed: [String]
    /// `groups.add`, as it is configured now.
    var added: [String]
}

extension UserRecord {
    /// The operator's groups, and those that links give: of providers that are configured, as of the last sign-in by
    /// each.
    var allGroups: [String] {
        guard let providerGrants, !providerGrants.isEmpty else { return groups }
        return Set(groups).union(groupsOfProviders).sorted()
    }

    /// What links give, sorted.
    var groupsOfProviders: [String] {
        Set((providerGrants ?? [:]).values.flatMap { $0.claimed + $0.added }).sorted()
    }

    /// - Returns: whether there was something to take away.
    @discardableResult
    mutating func removeGrant(ofLink link: String) -> Bool {
        let had = providerGrants?.removeValue(forKey: link) != nil
        if providerGrants?.isEmpty == true { providerGrants = nil }
        return had
    }
}

extension Store {
    /// Makes the groups that links give those of the providers that are configured now: what a provider gave that is
    /// not there any more is gone, and `groups.add` is as it is written today. To be called before a configuration is
    /// in force; it changes nothing when the providers are those of the last call.
    ///
    /// - Parameter providers: `groups.add` by issuer.
    public func adopt(providers: [String: [String]]) throws(AccountsError) {
        let now = clock.now()
        let wanted = providers.mapValues { Array(Set($0)).sorted() }
        // Written first: a sign-in that is under way goes by it from here on.
        let isNew = try write { transaction in
            if try Self.adopted(in: transaction) == wanted { return false }
            let text = String(decoding: try JSON.encode(wanted), as: UTF8.self)
            try Tables.meta.put(MetaRecord(at: nil, text: text), for: MetaRecord.providers, in: transaction)
            // Until all is done the next start has to do it again.
            try Tables.meta.put(MetaRecord(at: now), for: MetaRecord.providersPending, in: transaction)
            return true
        }
        let isPending = try read { try Tables.meta.get(MetaRecord.providersPending, in: $0) != nil }
        guard isNew || isPending else { return }
        let owners = try read { transaction in
            var owners: Set<String> = []
            try Tables.socialAccounts.forEach(in: transaction) { _, link, _ in
                owners.insert(link.userID)
                return true
            }
            return owners.sorted()
        }
        for start in stride(from: 0, to: owners.count, by: Self.batchSize) {
            try write { transaction in
                for id in owners[start..<min(start + Self.batchSize, owners.count)] {
                    guard let user = try Tables.users.get(id, in: transaction) else { continue }
                    let changed = try self.regranted(user, wanted, in: transaction)
                    if changed != user { try Tables.users.put(changed, for: id, in: transaction) }
                }
            }
        }
        try write { transaction -> Void in
            try Tables.meta.delete(MetaRecord.providersPending, in: transaction)
        }
    }

    private func regranted(
        _ user: UserRecord, _ providers: [String: [String]], in transaction: borrowing WriteTransaction
    ) throws -> UserRecord {
        var user = user
        var grants: [String: ProviderGrant] = [:]
        for link in try socialAccounts(of: user.id, in: transaction) {
            guard let added = providers[link.issuer], var grant = user.providerGrants?[link.id] else { continue }
            grant.added = Self.granted(added)
            grants[link.id] = grant
        }
        user.providerGrants = grants.isEmpty ? nil : grants
        return user
    }

    /// `groups.add` by issuer, as last adopted; nil: never.
    private static func adopted(
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [String: [String]]? {
        guard let text = try Tables.meta.get(MetaRecord.providers, in: transaction)?.text else { return nil }
        return try JSON.decode([String: [String]].self, from: Array(text.utf8))
    }

    /// Keeps what the provider says of the person's groups today.
    ///
    /// - Parameter user: changed; to be put by the caller.
    func noteGroups(
        _ identity: FederatedIdentity, _ terms: FederationTerms, of link: SocialAccountRecord,
        for user: inout UserRecord, in transaction: borrowing WriteTransaction
    ) throws {
        user.removeGrant(ofLink: link.id)
        var added = terms.addedGroups
        if let adopted = try Self.adopted(in: transaction) {
            guard let now = adopted[identity.issuer] else { return }
            added = now
        }
        let grant = ProviderGrant(
            issuer: identity.issuer, claimed: Self.granted(identity.groups), added: Self.granted(added))
        user.providerGrants = (user.providerGrants ?? [:]).merging([link.id: grant]) { $1 }
    }

    private static func granted(_ groups: [String]) -> [String] {
        let usable = Set(groups).filter { GroupName.isValid($0) && !GroupName.isReserved($0) }
        return Array(usable.sorted().prefix(maximumProviderGroups))
    }

    /// As many as one provider may give one person.
    static let maximumProviderGroups = 256
}
