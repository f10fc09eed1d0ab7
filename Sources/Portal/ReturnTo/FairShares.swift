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

    /// - Returns: what had to give way, by its ids.
    @discardableResult
    mutating func insert(_ value: Value, id: String, from place: ClientPlace) -> [(id: String, value: Value)] {
        remove(id)
        let gone = makeRoom(for: place)
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
        return gone
    }

    /// Removes all that are over.
    ///
    /// - Returns: what they were, by their ids.
    @discardableResult
    mutating func removeAll(where isOver: (Value) -> Bool) -> [(id: String, value: Value)] {
        let over = entries.filter { isOver($0.value.value) }.map { (id: $0.key, value: $0.value.value) }
        for (id, _) in over { remove(id) }
        return over
    }

    var count: Int { entries.count }

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

    private mutating func makeRoom(for place: ClientPlace) -> [(id: String, value: Value)] {
        var gone: [(id: String, value: Value)] = []
        if let count = sites[place.site]?.networks[place.network]?.count, count >= share(of: place) {
            drop(oldest(of: place.site, place.network), &gone)
        } else if let count = sites[place.site]?.queue.count, count >= siteShare {
            drop(oldest(of: place.site, sites[place.site]?.ranks.fullest), &gone)
        }
        guard entries.count >= capacity else { return gone }
        if let site = ranks.fullest {
            drop(oldest(of: site, sites[site]?.ranks.fullest), &gone)
        } else {
            drop(oldest(), &gone)
        }
        return gone
    }

    /// What has no networks has its site's share.
    private func share(of place: ClientPlace) -> Int { place.network.isEmpty ? siteShare : networkShare }

    /// The oldest of a network, or of a site, or of all.
    ///
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

    private mutating func drop(_ id: String?, _ gone: inout [(id: String, value: Value)]) {
        guard let id, let value = self[id] else { return }
        remove(id)
        gone.append((id, value))
    }
}
