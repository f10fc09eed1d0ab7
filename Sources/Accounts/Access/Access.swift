public import Core
internal import Cryptography
internal import LMDB

/// How finely it is kept who reached what (`audit.access`).
public enum AccessGranularity: String, Sendable, CaseIterable {
    case none, daily, hourly

    /// The UTC period that `time` is in, with its bounds; nil when nothing is kept.
    func period(of time: Timestamp) -> (name: String, start: Timestamp, end: Timestamp)? {
        switch self {
        case .none:
            return nil
        case .daily:
            let start = Self.floor(time, to: 86_400_000)
            return (start.utcDay, start, start + .seconds(86_400))
        case .hourly:
            let start = Self.floor(time, to: 3_600_000)
            return (String(start.rfc3339.prefix(13)), start, start + .seconds(3600))
        }
    }

    private static func floor(_ time: Timestamp, to unit: Int64) -> Timestamp {
        let rest = time.milliseconds % unit
        return time - .milliseconds(rest < 0 ? rest + unit : rest)
    }
}

/// The numbers behind an `access` event. The event is in the chain from the first request on and does not change; its
/// numbers grow here until the period is over and are put into it when it is shown.
struct AccessRecord: JSONRecord, Equatable {
    static let maximumAddresses = 16

    var period: String
    var user: String
    var userID: String
    var credential: String
    var kind: String
    var route: String
    var first: Timestamp
    var last: Timestamp
    var count: Int64
    var addresses: [String]
    /// Of its event.
    var sequence: UInt64

    var key: [UInt8] { Self.key(period: period, userID: userID, credential: credential, route: route) }

    static func key(period: String, userID: String, credential: String, route: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in [userID, credential, route] {
            bytes.append(contentsOf: withUnsafeBytes(of: UInt32(clamping: part.utf8.count).bigEndian) { Array($0) })
            bytes.append(contentsOf: part.utf8)
        }
        return Array(period.utf8.prefix(16)) + [0] + SHA256.digest(bytes).bytes
    }

    mutating func merge(_ other: AccessRecord) {
        first = min(first, other.first)
        last = max(last, other.last)
        count = count &+ other.count
        for address in other.addresses where !addresses.contains(address) {
            if addresses.count < Self.maximumAddresses { addresses.append(address) }
        }
    }

    var metadata: [String: AuditValue] {
        [
            "period": .string(period), "credential": .string(credential), "credential_kind": .string(kind),
            "first": .string(first.rfc3339), "last": .string(last.rfc3339), "count": .integer(count),
            "addresses": .strings(addresses),
        ]
    }
}

/// A row of `audit report access`: who reached what.
public struct AccessRow: Encodable, Sendable, Equatable {
    public let user: String
    public let userID: String
    public let route: String
    public let credential: String
    /// `session`, `api_key`, `jwt` or `certificate`.
    public let kind: String
    public internal(set) var first: Timestamp
    public internal(set) var last: Timestamp
    public internal(set) var count: Int64
    /// At most sixteen.
    public internal(set) var addresses: [String]

    private enum CodingKeys: String, CodingKey {
        case user, route, credential, first, last, count, addresses
        case userID = "user_id"
        case kind = "credential_kind"
    }
}

extension Store {
    /// Adds up the access events per user, credential and route over a range, as far as their days touch it; the
    /// latest first.
    public func accessReport(
        user: String? = nil, route: String? = nil, from: Timestamp? = nil, to: Timestamp? = nil
    ) throws(AccountsError) -> [AccessRow] {
        var rows: [[UInt8]: AccessRow] = [:]
        try forEachAccess { record in
            if let from, record.last < from { return }
            if let to, record.first >= to { return }
            if let route, record.route != route { return }
            let id = AccessRecord.key(
                period: "", userID: record.userID, credential: record.credential, route: record.route)
            var merged = record
            if let row = rows[id] {
                merged.first = min(row.first, record.first)
                merged.last = max(row.last, record.last)
                merged.count = row.count &+ record.count
                merged.addresses = Array(
                    (row.addresses + record.addresses.filter { !row.addresses.contains($0) })
                        .prefix(AccessRecord.maximumAddresses))
            }
            rows[id] = AccessRow(
                user: merged.user, userID: merged.userID, route: merged.route, credential: merged.credential,
                kind: merged.kind, first: merged.first, last: merged.last, count: merged.count,
                addresses: merged.addresses)
        }
        var wanted = Array(rows.values)
        if let user {
            let id = try read { transaction in try self.find(user: user, in: transaction)?.id }
            wanted.removeAll { $0.userID != id && UserName.folded($0.user) != UserName.folded(user) }
        }
        return wanted.sorted { ($0.last, $0.user, $0.route) > ($1.last, $1.user, $1.route) }
    }

    private func forEachAccess(_ body: (AccessRecord) -> Void) throws(AccountsError) {
        var from: [UInt8]?
        while true {
            let begin = from
            let records = try read { transaction in
                var records: [([UInt8], AccessRecord)] = []
                try Tables.access.forEach(from: begin, in: transaction) { key, record, _ in
                    if key != begin { records.append((key, record)) }
                    return records.count < Self.batchSize
                }
                return records
            }
            guard let last = records.last else { return }
            for (_, record) in records { body(record) }
            from = last.0
        }
    }

    /// An event as it is shown: an `access` event gets its numbers as of now.
    func current(
        _ event: AuditEvent, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> AuditEvent {
        guard event.type == AuditEventType.access.rawValue, let userID = event.userID, let route = event.route,
            case .string(let period) = event.metadata["period"],
            case .string(let credential) = event.metadata["credential"],
            let record = try Tables.access.get(
                AccessRecord.key(period: period, userID: userID, credential: credential, route: route), in: transaction)
        else { return event }
        var event = event
        event.metadata.merge(record.metadata) { $1 }
        return event
    }

    /// Adds what was counted, making the event with the first of it.
    func add(_ record: AccessRecord, at now: Timestamp, in transaction: borrowing WriteTransaction) throws {
        let key = record.key
        if var known = try Tables.access.get(key, in: transaction) {
            known.merge(record)
            return try Tables.access.put(known, for: key, in: transaction)
        }
        var record = record
        record.sequence = try append(
            NewAuditEvent(
                .access, user: record.user, userID: record.userID, route: record.route,
                session: record.kind == Identity.Kind.session.rawValue ? record.credential : nil,
                metadata: record.metadata),
            by: AuditActor(record.user), at: now, in: transaction)
        try Tables.access.put(record, for: key, in: transaction)
    }

    func pruneAccess(before limit: Timestamp) throws(AccountsError) {
        let day = limit.utcDay
        while true {
            let count = try write { transaction in
                let keys = try Tables.access.keys(limit: Self.batchSize, in: transaction)
                    .filter { String(decoding: $0.prefix(10), as: UTF8.self) < day }
                for key in keys { try Tables.access.delete(key, in: transaction) }
                return keys.count
            }
            if count < Self.batchSize { return }
        }
    }
}
