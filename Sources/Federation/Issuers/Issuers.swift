public import Core
public import Logging

/// All configured issuers with their keys. One value a configuration: a reload makes a new one and cancels the old
/// one's ``refresh()``.
public final class Issuers: Sendable {
    let all: [IssuerKeys]

    /// - Parameters:
    ///   - configurations: with ids and issuers that are unique (Settings sees to it).
    ///   - old: what a reload replaces: an issuer whose keys come from the same place keeps those that it has.
    public init(
        _ configurations: [IssuerConfiguration], replacing old: Issuers? = nil, fetcher: any HTTPFetching,
        clock: any WallClock, log: Logger
    ) {
        all = configurations.map { configuration in
            let known = old?.all.first { $0.hasSameKeys(as: configuration) }
            // The same one goes on, with the fetches that are under way and its limit on them.
            if let known, known.configuration == configuration { return known }
            return IssuerKeys(configuration, keeping: known, fetcher: fetcher, clock: clock, log: log)
        }
    }

    /// The ids of issuers whose keys have never been fetched yet; the server is not ready before this is empty.
    public var withoutKeys: [String] {
        all.filter { $0.current.keys == nil }.map(\.configuration.id)
    }

    /// Fetches all key sets that are due, side by side, and returns when all have ended.
    public func refreshDue() async {
        await withTaskGroup(of: Void.self) { group in
            for issuer in all { group.addTask { await issuer.refreshIfDue() } }
        }
    }

    /// Keeps the key sets fresh until the task is cancelled.
    public func refresh() async {
        while !Task.isCancelled {
            await refreshDue()
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
