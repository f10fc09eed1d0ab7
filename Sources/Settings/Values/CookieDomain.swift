import Core

/// The domains that browsers keep cookies for.
public enum CookieDomain {
    /// The longest domain that is above all `hosts` or is one of them; nil where browsers keep no cookie for all of them:
    /// they have nothing in common, or only one label (`localhost`, `com`), or one is an address.
    ///
    /// Which domains are open to registration (`co.uk`) is not known here.
    ///
    /// - Parameter hosts: canonical; one that begins with `*.` stands for the hosts below the rest.
    public static func above(_ hosts: [String]) -> String? {
        guard let first = hosts.first else { return nil }
        var common = labels(first)
        for host in hosts {
            guard !host.hasPrefix("["), IPAddress(host) == nil else { return nil }
            let count = zip(common.reversed(), labels(host).reversed()).prefix { $0 == $1 }.count
            common = Array(common.suffix(count))
        }
        return common.count < 2 ? nil : common.joined(separator: ".")
    }

    private static func labels(_ host: String) -> [Substring] {
        (host.hasPrefix("*.") ? host.dropFirst(2) : host[...]).split(separator: ".", omittingEmptySubsequences: false)
    }
}
