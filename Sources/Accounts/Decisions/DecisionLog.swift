public import Core
internal import LMDB
internal import Synchronization

/// Gathers what the loops decided and writes it down. Loops put into rings of their own; ``drain(final:)`` empties
/// them once a second on a worker thread.
///
/// A refused navigation of somebody without any credential is ordinary life: whoever calls the sink leaves those out.
public final class DecisionLog: Sendable {
    /// Rows of who reached what, and of last uses, by their keys.
    struct AccessRows {
        var accesses: [[UInt8]: AccessRecord] = [:]
        var lastUses: [String: LastUseRecord] = [:]
        var isEmpty: Bool { accesses.isEmpty && lastUses.isEmpty }
        var isFull: Bool { accesses.count >= maximumPending || lastUses.count >= maximumPending }
    }

    struct State {
        var rings: [DecisionRing] = []
        var ringsByLoop: [Int: DecisionRing] = [:]
        var usages: [Usage] = []
        var denials = DenialGroups()
        var access = AccessRows()
        var addresses: [ObjectIdentifier: [IPAddress]] = [:]
        var accessWrittenAt = Timestamp(milliseconds: .min)
        var lost: UInt64 = 0
        var refusals = RefusalBacklog()

        /// - Returns: nil when there are none.
        mutating func takeAccess(at now: Timestamp) -> AccessRows? {
            guard !access.isEmpty else { return nil }
            accessWrittenAt = now
            defer { access = AccessRows() }
            return access
        }
    }

    private static let accessInterval = Duration.seconds(10)
    private static let maximumPending = 65_536

    let store: Store
    private let granularity: AccessGranularity
    /// Held for memory alone, never while the store is written: pages and metrics wait for it.
    let state = Mutex(State())
    /// Held while the store is written; nil: whose the refusals are has to be looked up.
    let writing = Mutex<RefusalShares?>(nil)

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
            try writing.withLock { shares in
                let (denials, access, refusals) = state.withLock { state in
                    collect(&state)
                    let isDue =
                        final || now >= state.accessWrittenAt + Self.accessInterval || now < state.accessWrittenAt
                    if isDue { Self.count(&state) }
                    return (
                        state.denials.take(at: now, all: final), isDue ? state.takeAccess(at: now) : nil,
                        state.refusals.take(at: now)
                    )
                }
                // One that cannot be written keeps the others from nothing.
                let results = [
                    Result { try writeDenials(denials, now) }, Result { try writeAccess(access, now) },
                    Result { try writeRefusals(refusals, &shares) },
                ]
                for result in results { try result.get() }
            }
        } catch {
            throw .wrapping(error)
        }
    }

    /// The newest refusal of a person's request, written down already or not: others may have used its id, too.
    ///
    /// Waits for the store, so it belongs on a worker thread.
    public func refusal(of requestID: String, subject: String) throws(AccountsError) -> KeptRefusal? {
        let waiting = state.withLock { state in
            collect(&state)
            return state.refusals.newest(of: requestID, subject: subject)
        }
        if let waiting { return waiting }
        return try store.refusal(of: requestID, subject: subject)
    }

    private func collect(_ state: inout State) {
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
                    if !denial.isAudited, !denials.add(denial) { lost &+= 1 }
                    if let refusal = KeptRefusal(denial) { refusals.add(refusal) }
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
        guard !state.access.isFull else {
            state.lost &+= UInt64(clamping: count)
            return
        }
        if identity.kind == .apiKey || identity.kind == .session {
            let known = state.access.lastUses[identity.credentialID]
            if known.map({ $0.at <= usage.last }) ?? true {
                state.access.lastUses[identity.credentialID] = LastUseRecord(
                    at: usage.last, address: addresses.last ?? known?.address)
            }
        }
        guard let period = usage.period else { return }
        let record = AccessRecord(
            period: period, user: identity.user, userID: identity.subject, credential: identity.credentialID,
            kind: identity.kind.rawValue, route: usage.route, first: usage.first, last: usage.last, count: count,
            addresses: addresses, sequence: 0)
        if state.access.accesses[record.key]?.merge(record) == nil { state.access.accesses[record.key] = record }
    }
}
