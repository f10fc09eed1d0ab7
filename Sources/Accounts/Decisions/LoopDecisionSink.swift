internal import Core

/// A loop's end of a ``DecisionRing``. A request that is let through costs a look-up and two
/// atomic writes.
final class LoopDecisionSink: DecisionSink {
    private final class Known {
        let usage: Usage
        var lastAddress: IPAddress?
        var addresses: Set<IPAddress> = []

        init(_ usage: Usage) {
            self.usage = usage
        }
    }

    private struct Credential: Hashable {
        let id: String
        let user: String
    }

    private static let maximumKnown = 16_384
    private static let forgetAfter: Int64 = 60_000

    private let ring: DecisionRing
    private let granularity: AccessGranularity
    // By the usage's own identity object, which it keeps alive; few routes each.
    private var known: [ObjectIdentifier: [Known]] = [:]
    // The same ones, for other objects of the same credential: there are many where identities are not cached.
    private var byCredential: [Credential: [Known]] = [:]
    private var knownCount = 0
    private var period: (name: String, start: Timestamp, end: Timestamp)?
    private var forgottenAt = Timestamp(milliseconds: .min)
    private var keptUntil = Int64.min
    private var keptSecond = Int64.min
    private var keptCount = 0

    init(ring: DecisionRing, granularity: AccessGranularity) {
        self.ring = ring
        self.granularity = granularity
    }

    /// So many refusals of one second are kept with what was asked for.
    private static let keptPerSecond = 4096

    func keepsRequest(at now: Timestamp) -> Bool {
        let second = now.milliseconds / 1000
        if second != keptSecond {
            keptSecond = second
            keptCount = 0
        }
        keptCount += 1
        return keptCount <= Self.keptPerSecond
    }

    func denied(_ denial: Denial) {
        _ = ring.append(.denial(denial))
    }

    func allowed(_ identity: Identity, route: String, address: IPAddress?, at now: Timestamp) {
        count(identity, route, period: period?.name, address, at: now)
    }

    /// No route has an empty name.
    func used(_ identity: Identity, address: IPAddress?, at now: Timestamp) {
        count(identity, "", period: nil, address, at: now)
    }

    private func count(
        _ identity: Identity, _ route: String, period: @autoclosure () -> String?, _ address: IPAddress?,
        at now: Timestamp
    ) {
        forgetIfDue(now)
        if let entry = find(identity, route) {
            entry.usage.count(at: now)
            if let address, entry.lastAddress != address { note(address, entry) }
            return
        }
        let usage = Usage(identity: identity, route: route, period: period(), at: now)
        usage.count(at: now)
        guard ring.append(.usage(usage)) else { return }
        let entry = Known(usage)
        known[ObjectIdentifier(identity), default: []].append(entry)
        byCredential[Credential(id: identity.credentialID, user: identity.user), default: []].append(entry)
        knownCount += 1
        if let address { note(address, entry) }
    }

    private func find(_ identity: Identity, _ route: String) -> Known? {
        if let entry = known[ObjectIdentifier(identity)]?.first(where: { $0.usage.route == route }) { return entry }
        return byCredential[Credential(id: identity.credentialID, user: identity.user)]?.first {
            $0.usage.route == route && $0.usage.identity.kind == identity.kind
                && $0.usage.identity.subject == identity.subject
        }
    }

    private func note(_ address: IPAddress, _ entry: Known) {
        entry.lastAddress = address
        guard entry.addresses.count < AccessRecord.maximumAddresses, !entry.addresses.contains(address) else { return }
        if ring.append(.address(entry.usage, address)) { entry.addresses.insert(address) }
    }

    private func forgetIfDue(_ now: Timestamp) {
        if granularity != .none, period.map({ now < $0.start || now >= $0.end }) ?? true {
            period = granularity.period(of: now)
        } else if knownCount < Self.maximumKnown, now >= forgottenAt,
            now.milliseconds < keptUntil
        {
            return
        }
        known.removeAll(keepingCapacity: true)
        byCredential.removeAll(keepingCapacity: true)
        knownCount = 0
        forgottenAt = now
        let (end, overflow) = now.milliseconds.addingReportingOverflow(Self.forgetAfter)
        keptUntil = overflow ? .max : end
    }
}
