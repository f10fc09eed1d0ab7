/// Whose turn it is to connect to a server: so many at a time, the others in the order in which they came. A server that
/// takes no connections then holds a known number of sockets, however many requests there are for it.
struct DialQueue<Dial: AnyObject> {
    /// That many connections to one server are made at a time, on each loop.
    static var limit: Int { 256 }

    private var underWay = 0
    private var waiting = WaitingLine<Dial>()
    private var isStarting = false

    /// Nobody waits for a turn.
    var isEmpty: Bool { waiting.isEmpty }
    var isUnused: Bool { waiting.isEmpty && underWay == 0 }

    /// Whoever comes now may begin at once.
    var isOpen: Bool { underWay < Self.limit && waiting.isEmpty }

    /// Whoever waits as the first may begin.
    var hasNext: Bool { underWay < Self.limit && !waiting.isEmpty }

    /// - Parameter begins: it is its turn already; it waits otherwise.
    mutating func enter(_ dial: Dial, begins: Bool) {
        if begins { underWay += 1 } else { waiting.append(dial) }
    }

    /// - Parameter hadTurn: it was connecting.
    mutating func leave(_ dial: Dial, hadTurn: Bool) {
        if hadTurn { underWay -= 1 } else { waiting.remove(dial) }
    }

    /// The next one, which is to begin now.
    mutating func next() -> Dial? {
        guard hasNext else { return nil }
        underWay += 1
        return waiting.popFirst()
    }

    func first(where isFit: (Dial) -> Bool) -> Dial? { waiting.first(where: isFit) }

    /// One that fails at once lets the next one begin: whoever is starting them goes on, and nobody else does.
    mutating func takeStart() -> Bool {
        guard !isStarting else { return false }
        isStarting = true
        return true
    }

    mutating func endStart() { isStarting = false }
}
