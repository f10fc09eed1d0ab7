internal import Glibc
internal import Synchronization

/// One reader's (or the writer's) place at the gate, with the LMDB transaction that it keeps between uses.
final class GateSlot: Sendable {
    let occupied = Atomic<Bool>(false)
    // Touched by the slot's owner while `occupied`, and by whoever holds the gate exclusively while nothing is.
    nonisolated(unsafe) var transaction: OpaquePointer?
}

/// Keeps the map where it is while somebody looks at it.
///
/// LMDB may only be remapped or closed while no transaction of the process is active, and does not check that itself.
/// Passing costs a reader one exchange on memory of its own, no lock. Whoever remaps closes the gate, waits until
/// everybody is out, and opens it again.
final class Gate: Sendable {
    private enum Position {
        static let open: UInt8 = 0
        static let closed: UInt8 = 1
        static let ended: UInt8 = 2
    }

    private let position = Atomic<UInt8>(Position.open)
    private let visitors = Atomic<Int>(0)
    private let slots = Monitor<[GateSlot]>([])

    static var closedError: LMDBError { LMDBError(.closed, "the store was closed") }

    func makeSlot() -> GateSlot {
        let slot = GateSlot()
        slots.withLock { $0.append(slot) }
        return slot
    }

    func remove(_ slot: GateSlot) {
        slots.withLock { $0.removeAll { $0 === slot } }
    }

    /// - Throws: `closed` after the end; waits while the map is being replaced.
    func enter(_ slot: GateSlot) throws(LMDBError) {
        while true {
            slot.occupied.store(true, ordering: .sequentiallyConsistent)
            let now = position.load(ordering: .sequentiallyConsistent)
            if now == Position.open { return }
            slot.occupied.store(false, ordering: .releasing)
            guard now == Position.closed else { throw Self.closedError }
            waitWhileClosed()
        }
    }

    func leave(_ slot: GateSlot) {
        slot.occupied.store(false, ordering: .releasing)
    }

    /// For those without a slot, who share one counter.
    func enter() throws(LMDBError) {
        while true {
            visitors.add(1, ordering: .sequentiallyConsistent)
            let now = position.load(ordering: .sequentiallyConsistent)
            if now == Position.open { return }
            visitors.subtract(1, ordering: .releasing)
            guard now == Position.closed else { throw Self.closedError }
            waitWhileClosed()
        }
    }

    func leave() {
        visitors.subtract(1, ordering: .releasing)
    }

    /// Runs `body` while nobody is inside. The caller must not be inside itself.
    ///
    /// - Returns: false when somebody stayed inside for longer than `milliseconds`; `body` did not run then.
    func exclusively(within milliseconds: Int, ending: Bool = false, _ body: ([GateSlot]) -> Void) -> Bool {
        slots.withLock { slots in
            position.store(Position.closed, ordering: .sequentiallyConsistent)
            let isEmpty = waitUntilEmpty(slots, milliseconds: milliseconds)
            if isEmpty { body(slots) }
            position.store(ending && isEmpty ? Position.ended : Position.open, ordering: .sequentiallyConsistent)
            return isEmpty
        }
    }

    private func waitUntilEmpty(_ slots: [GateSlot], milliseconds: Int) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(milliseconds)
        while visitors.load(ordering: .sequentiallyConsistent) != 0
            || slots.contains(where: { $0.occupied.load(ordering: .sequentiallyConsistent) })
        {
            if ContinuousClock.now > deadline { return false }
            usleep(20)
        }
        return true
    }

    private func waitWhileClosed() {
        // Whoever closed the gate holds this lock until it is open again.
        slots.withLock { _ in }
    }
}
