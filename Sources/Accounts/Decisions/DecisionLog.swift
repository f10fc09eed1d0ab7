public import Core
internal import LMDB
internal import Synchronization

/// Gathers what the loops decided and writes it down. Loops put into rings of their own; ``drain(final:)`` empties
/// them once a second on a worker thread.
///
/// A refused navigation of somebody without any credential is ordinary life: whoever calls the sink leaves those out.
public final class DecisionLog: Sendable {
    private struct State {
        var rings: [DecisionRing] = []
        var ringsByLoop: [Int: DecisionRing] = [:]
        var usages: [Usage] = []
        var denials = DenialGroups()
        var accesses: [[UInt8]: AccessRecord] = [:]
        var lastUses: [String: LastUseRecord] = [:]
        var addresses: [ObjectIdentifier: [IPAddress]] = [:]
        var accessWrittenAt = Timestamp(milliseconds: .min)
        var lost: UInt64 = 0
        var refusals = RefusalBacklog()
    }

    private static let accessInterval = Duration.seconds(10)
    private static let maximumPending = 65_536

    private let store: Store
    private let granularity: AccessGranularity
    private let state = Mutex(State())

    /// - Parameter access: `audit.access`.
    public init(store: Store, access: AccessGranularity = .daily) {
        self.store = store
        granularity = access
    }

    /// A sink for one loop.
    ///
    /// - Parameters:
    ///   - capacity: how many denials and new users a loop may have between two drains; more are counted as lost.
    ///   - loop: the loop's number. A further sink for it, as a reload makes one, takes over what the sink before it
    ///     works with, so both must be used on that loop only.
    ///   - access: nil: what the log was made with.
    public func makeSink(
        capacity: Int = 32_768, loop: Int? = nil, access: AccessGranularity? = nil
    ) -> any DecisionSink {
        let ring = state.withLock { state in
            if let loop, let known = state.ringsByLoop[loop] { return known }
            let ring = DecisionRing(capacity: capacity)
            state.rings.append(ring)
            if let loop { state.ringsByLoop[loop] = ring }
            return ring
        }
        return LoopDecisionSink(ring: ring, granularity: access ?? granularity)
    }

    /// What could not be kept since the start (`gatehouse_audit_lost_total`).
    public var lost: UInt64 {
        state.withLock { state in state.rings.reduce(state.lost) { $0 &+ $1.lost } }
    }

    /// Takes what the loops have put and writes what is due: denials when their two seconds are over, access and last
    /// use at most every ten seconds. What cannot be written stays for the next time.
    ///
    /// - Parameter final: write everything, at the server's stop.
    public func drain(final: Bool = false) throws(AccountsError) {
        let now = store.clock.now()
        do {
            try state.withLock { state in
                Self.collect(&state)
                try writeDenials(&state, now, all: final)
                if final || now >= state.accessWrittenAt + Self.accessInterval || now < state.accessWrittenAt {
                    Self.count(&state)
                    try writeAccess(&state, now)
                }
                try writeRefusals(&state, now)
            }
        } catch {
            throw .wrapping(error)
        }
    }

    /// The newest refusal of a request that nobody has written down yet, or that is in the store.
    ///
    /// Waits for the store, so it belongs on a worker thread.
    public func refusal(of requestID: String) throws(AccountsError) -> KeptRefusal? {
        let waiting = state.withLock { state in
            Self.collect(&state)
            return state.refusals.newest(of: requestID)
        }
        if let waiting { return waiting }
        return try store.refusals(of: requestID).first
    }

    /// Keeps a refusal that no loop made: those of the pages.
    public func note(_ denial: Denial) {
        state.withLock { $0.refusals.add(denial) }
    }

    private func writeRefusals(_ state: inout State, _ now: Timestamp) throws {
        let batch = state.refusals.due(at: now)
        for begin in stride(from: 0, to: batch.count, by: Store.batchSize / 2) {
            try store.keepRefusals(Array(batch[begin..<min(begin + Store.batchSize / 2, batch.count)]))
        }
        state.refusals.removeDue(batch.count, at: now)
    }

    private static func collect(_ state: inout State) {
        var usages: [Usage] = []
        var addresses: [(Usage, IPAddress)] = []
        var denials = state.denials
        var refusals = state.refusals
        state.refusals = RefusalBacklog()
        var lost: UInt64 = 0
        for ring in state.rings {
            ring.take { item in
                switch item {
                case .denial(let denial):
                    if !denials.add(denial) { lost &+= 1 }
                    refusals.add(denial)
                case .usage(let usage): usages.append(usage)
                case .address(let usage, let address): addresses.append((usage, address))
                }
            }
        }
        state.denials = denials
        state.refusals = refusals
        state.lost &+= lost
        state.usages += usages
        for (usage, address) in addresses { state.addresses[ObjectIdentifier(usage), default: []].append(address) }
    }

    /// Turns the loops' counters into rows to be written.
    private static func count(_ state: inout State) {
        var kept: [Usage] = []
        while var usage = state.usages.popLast() {
            let addresses = (state.addresses.removeValue(forKey: ObjectIdentifier(usage)) ?? []).map(\.description)
            let count = usage.take()
            if count > 0 {
                add(usage, count, addresses, to: &state)
                kept.append(usage)
            } else if !isKnownUniquelyReferenced(&usage) {
                // The loop may still count on it.
                kept.append(usage)
            }
        }
        state.usages = kept
        state.addresses.removeAll()
    }

    private static func add(_ usage: Usage, _ count: Int64, _ addresses: [String], to state: inout State) {
        let identity = usage.identity
        guard state.accesses.count < maximumPending, state.lastUses.count < maximumPending else {
            state.lost &+= UInt64(clamping: count)
            return
        }
        if identity.kind == .apiKey || identity.kind == .session {
            let known = state.lastUses[identity.credentialID]
            if known.map({ $0.at <= usage.last }) ?? true {
                state.lastUses[identity.credentialID] = LastUseRecord(
                    at: usage.last, address: addresses.last ?? known?.address)
            }
        }
        guard let period = usage.period else { return }
        let record = AccessRecord(
            period: period, user: identity.user, userID: identity.subject, credential: identity.credentialID,
            kind: identity.kind.rawValue, route: usage.route, first: usage.first, last: usage.last, count: count,
            addresses: addresses, sequence: 0)
        if state.accesses[record.key]?.merge(record) == nil { state.accesses[record.key] = record }
    }

    private func writeDenials(_ state: inout State, _ now: Timestamp, all: Bool) throws {
        let due = state.denials.due(at: now, all: all)
        guard !due.isEmpty else { return }
        for begin in stride(from: 0, to: due.count, by: Store.batchSize) {
            let batch = Array(due[begin..<min(begin + Store.batchSize, due.count)])
            try store.write { [store] transaction in
                for (event, actor) in batch { try store.append(event, by: actor, at: now, in: transaction) }
                try store.noteSignOfLife(now, in: transaction)
            }
        }
        state.denials.removeDue(at: now, all: all)
    }

    private func writeAccess(_ state: inout State, _ now: Timestamp) throws {
        guard !state.accesses.isEmpty || !state.lastUses.isEmpty else { return }
        state.accessWrittenAt = now
        while !state.accesses.isEmpty || !state.lastUses.isEmpty {
            let accesses = Array(state.accesses.prefix(Store.batchSize / 4))
            let uses = Array(state.lastUses.prefix(Store.batchSize / 2))
            try store.write { [store] transaction in
                for (_, record) in accesses { try store.add(record, at: now, in: transaction) }
                for (id, use) in uses {
                    // Without a newer address the known one stays.
                    var use = use
                    if use.address == nil { use.address = try Tables.lastUses.get(id, in: transaction)?.address }
                    try Tables.lastUses.put(use, for: id, in: transaction)
                }
                try store.noteSignOfLife(now, in: transaction)
            }
            for (key, _) in accesses { state.accesses[key] = nil }
            for (id, _) in uses { state.lastUses[id] = nil }
        }
    }
}
