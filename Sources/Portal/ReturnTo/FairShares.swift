/// Values in bounded room, so shared out that a flood pushes out its own. A place is a network of a site; each network
/// and each site has a bounded share. When a share, or the whole, is full, the fullest within it gives up its oldest.
///
/// ```
///   room ── site (an IPv4 address, a /48) ── network (a /64) ── oldest … newest
/// ```
///
/// A value, without a lock.
struct FairShares<Value> {
    private struct Entry {
        var value: Value
        let place: ClientPlace
        let serial: UInt64
    }

    /// Ids, oldest first; those that are gone stay until they are come across.
    private struct Queue {
        private var entries: [(id: String, serial: UInt64)] = []
        private(set) var count = 0

        mutating func append(_ id: String, _ serial: UInt64, isThere: (String, UInt64) -> Bool) {
            if entries.count > 2 * count + 16 { entries.removeAll { !isThere($0.id, $0.serial) } }
            entries.append((id, serial))
            count += 1
        }

        /// One of them is gone.
        mutating func lose() { count -= 1 }

        mutating func oldest(isThere: (String, UInt64) -> Bool) -> String? {
            let first = entries.firstIndex { isThere($0.id, $0.serial) } ?? entries.endIndex
            entries.removeFirst(first)
            return entries.first?.id
        }
    }

    /// Who has how many.
    private struct Ranks {
        private var having: [Set<String>] = [[]]

        /// Somebody who has more than one, and nobody has more; nil: nobody has more than one.
        var fullest: String? {
            guard let most = having.lastIndex(where: { !$0.isEmpty }), most > 1 else { return nil }
            return having[most].first
        }

        mutating func move(_ name: String, from before: Int, to after: Int) {
            while having.count <= after { having.append([]) }
            if before > 0 { having[before].remove(name) }
            if after > 0 { having[after].insert(name) }
            while having.count > 1, having.last?.isEmpty == true { having.removeLast() }
        }
    }

    private struct Site {
        var queue = Queue()
        var networks: [String: Queue] = [:]
        var ranks = Ranks()
    }

    private let capacity: Int
    private let siteShare: Int
    private let networkShare: Int
    private var entries: [String: Entry] = [:]
    private var queue = Queue()
    private var sites: [String: Site] = [:]
    private var ranks = Ranks()
    private var nextSerial: UInt64 = 0

    init(capacity: Int, siteShare: Int, networkShare: Int) {
        self.capacity = max(1, capacity)
        self.siteShare = max(1, siteShare)
        self.networkShare = max(1, networkShare)
    }

    subscript(id: String) -> Value? { entries[id]?.value }

    /// Changes what is kept under an id; nothing when it is gone.
    mutating func change(_ id: String, _ change: (inout Value) -> Void) {
        guard let index = entries.index(forKey: id) else { return }
        change(&entries.values[index].value)
    }

    mutating func insert(_ value: Value, id: String, from place: ClientPlace) {
        remove(id)
        makeRoom(for: place)
        let serial = nextSerial
        nextSerial += 1
        entries[id] = Entry(value: value, place: place, serial: serial)
        let entries = entries
        func isThere(_ id: String, _ serial: UInt64) -> Bool { entries[id]?.serial == serial }
        queue.append(id, serial, isThere: isThere)
        var site = sites.removeValue(forKey: place.site) ?? Site()
        let before = (site: site.queue.count, network: site.networks[place.network]?.count ?? 0)
        site.queue.append(id, serial, isThere: isThere)
        site.networks[place.network, default: Queue()].append(id, serial, isThere: isThere)
        site.ranks.move(place.network, from: before.network, to: before.network + 1)
        sites[place.site] = site
        ranks.move(place.site, from: before.site, to: before.site + 1)
    }

    mutating func remove(_ id: String) {
        guard let place = entries.removeValue(forKey: id)?.place,
            var site = sites.removeValue(forKey: place.site),
            var network = site.networks.removeValue(forKey: place.network)
        else { return }
        queue.lose()
        site.queue.lose()
        network.lose()
        site.ranks.move(place.network, from: network.count + 1, to: network.count)
        ranks.move(place.site, from: site.queue.count + 1, to: site.queue.count)
        if network.count > 0 { site.networks[place.network] = network }
        if site.queue.count > 0 { sites[place.site] = site }
    }

    private mutating func makeRoom(for place: ClientPlace) {
        if let count = sites[place.site]?.networks[place.network]?.count, count >= share(of: place) {
            drop(from: place.site, place.network)
        } else if let count = sites[place.site]?.queue.count, count >= siteShare {
            drop(from: place.site, sites[place.site]?.ranks.fullest)
        }
        guard entries.count >= capacity else { return }
        guard let site = ranks.fullest else { return drop(oldest()) }
        drop(from: site, sites[site]?.ranks.fullest)
    }

    /// What has no networks has its site's share.
    private func share(of place: ClientPlace) -> Int { place.network.isEmpty ? siteShare : networkShare }

    /// The oldest of a network, or of a site.
    private mutating func drop(from site: String, _ network: String?) {
        drop(oldest(of: site, network))
    }

    /// - Parameters:
    ///   - site: nil: of all.
    ///   - network: nil: of the whole site.
    private mutating func oldest(of site: String? = nil, _ network: String? = nil) -> String? {
        let entries = entries
        func isThere(_ id: String, _ serial: UInt64) -> Bool { entries[id]?.serial == serial }
        guard let site else { return queue.oldest(isThere: isThere) }
        guard let network else { return sites[site]?.queue.oldest(isThere: isThere) }
        return sites[site]?.networks[network]?.oldest(isThere: isThere)
    }

    private mutating func drop(_ id: String?) {
        if let id { remove(id) }
    }
}
