internal import Core
internal import LMDB
internal import Synchronization

/// What was taken out of memory goes to the disk, and what cannot be written goes back. Nobody's lock is held meanwhile
/// but that of the one drain.
extension DecisionLog {
    func writeDenials(_ due: [DenialGroups.Group], _ now: Timestamp) throws {
        for begin in stride(from: 0, to: due.count, by: Store.batchSize) {
            let batch = due[begin..<min(begin + Store.batchSize, due.count)].map(DenialGroups.event)
            do {
                try store.write { [store] transaction in
                    for (event, actor) in batch { try store.append(event, by: actor, at: now, in: transaction) }
                    try store.noteSignOfLife(now, in: transaction)
                }
            } catch {
                state.withLock { state in
                    state.lost &+= UInt64(clamping: state.denials.putBack(due[begin...]))
                }
                throw error
            }
        }
    }

    func writeRefusals(_ due: [KeptRefusal], _ shares: inout RefusalShares?) throws {
        guard !due.isEmpty else { return }
        var written = 0
        do {
            var current = try shares ?? store.refusalShares()
            shares = nil
            while written < due.count {
                let end = min(written + Store.batchSize / 2, due.count)
                current = try store.keepRefusals(due[written..<end], current)
                written = end
            }
            shares = current
        } catch {
            state.withLock { $0.refusals.end(unwritten: due[written...]) }
            throw error
        }
        state.withLock { $0.refusals.end() }
    }

    func writeAccess(_ taken: AccessRows?, _ now: Timestamp) throws {
        guard var rows = taken else { return }
        do {
            while !rows.isEmpty {
                let accesses = Array(rows.accesses.prefix(Store.batchSize / 4))
                let uses = Array(rows.lastUses.prefix(Store.batchSize / 2))
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
                for (key, _) in accesses { rows.accesses[key] = nil }
                for (id, _) in uses { rows.lastUses[id] = nil }
            }
        } catch {
            let left = rows
            state.withLock { $0.putBack(left) }
            throw error
        }
    }
}

extension DecisionLog.State {
    fileprivate mutating func putBack(_ rows: DecisionLog.AccessRows) {
        for (key, record) in rows.accesses {
            if access.accesses[key]?.merge(record) != nil { continue }
            if access.isFull { lost &+= UInt64(clamping: record.count) } else { access.accesses[key] = record }
        }
        for (id, use) in rows.lastUses where !access.isFull {
            guard var newer = access.lastUses[id] else {
                access.lastUses[id] = use
                continue
            }
            newer.address = newer.address ?? use.address
            access.lastUses[id] = newer
        }
    }
}
