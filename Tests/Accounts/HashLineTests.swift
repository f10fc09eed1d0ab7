import Core
import Dispatch
import Synchronization
import Testing

@testable import Accounts

@Suite struct HashLineTests {
    private let now = ContinuousClock.now

    /// - Parameter members: with the place in front.
    private func line(_ members: String...) -> HashLine<String> {
        var line = HashLine<String>()
        for (number, member) in members.enumerated() {
            line.append(member, id: UInt64(number), from: String(member.prefix(1)), at: now)
        }
        return line
    }

    private func order(_ line: HashLine<String>) -> [String] {
        var line = line
        var order: [String] = []
        while let next = line.next(notBefore: now, late: { Issue.record("\($0) is late") }) { order.append(next) }
        #expect(line.count == 0)
        return order
    }

    @Test func placesTakeTurns() {
        #expect(order(line("a1", "a2", "a3", "b1", "a4", "c1", "b2")) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"])
        #expect(order(line("a1", "a2", "a3")) == ["a1", "a2", "a3"])
        #expect(order(line()) == [])
    }

    /// Whoever comes when a crowd waits is next but one.
    @Test func aNewcomerWaitsForNoCrowd() {
        var crowd = line("a1", "a2", "a3", "a4", "a5")
        #expect(crowd.next(notBefore: now, late: { _ in }) == "a1")
        crowd.append("b1", id: 9, from: "b", at: now)
        #expect(order(crowd) == ["a2", "b1", "a3", "a4", "a5"])
    }

    @Test func theLastOfTheLongestLineGivesWay() {
        var crowd = line("a1", "a2", "a3", "b1", "b2")
        #expect(crowd.makeRoom(for: "a") == nil)
        // With one more each place would have as many as the other.
        #expect(crowd.makeRoom(for: "b") == nil)
        #expect(crowd.makeRoom(for: "c") == "a3")
        #expect(crowd.count == 4)
        #expect(["a2", "b2"].contains(crowd.makeRoom(for: "c")))
        crowd = line("a1", "b1", "c1")
        #expect(crowd.makeRoom(for: "d") == nil)
    }

    @Test func whoLeavesIsNotServed() {
        var crowd = line("a1", "b1", "a2", "c1")
        #expect(crowd.remove(1, from: "b") == "b1")
        #expect(crowd.remove(1, from: "b") == nil)
        #expect(crowd.remove(0, from: "a") == "a1")
        #expect(crowd.remove(7, from: "x") == nil)
        #expect(order(crowd) == ["a2", "c1"])
    }

    @Test func whoHasWaitedFarTooLongIsTold() {
        var crowd = HashLine<String>()
        crowd.append("a1", id: 0, from: "a", at: now - .seconds(20))
        crowd.append("a2", id: 1, from: "a", at: now - .seconds(1))
        crowd.append("b1", id: 2, from: "b", at: now - .seconds(20))
        var late: [String] = []
        #expect(crowd.next(notBefore: now - .seconds(15), late: { late.append($0) }) == "a2")
        #expect(crowd.next(notBefore: now - .seconds(15), late: { late.append($0) }) == nil)
        #expect(late == ["a1", "b1"] && crowd.count == 0)
    }

    /// Whatever comes and goes: nobody is lost, nobody served twice, and the count is right.
    @Test(arguments: [1, 2, 3, 5, 8, 13, 21, 34, 55, 89] as [UInt64])
    func anyOrder(_ seed: UInt64) {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func draw(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(bound))
        }
        var crowd = HashLine<UInt64>()
        var inside: [UInt64: String] = [:]
        for id in 0..<500 as Range<UInt64> {
            let place = "p\(draw(7))"
            var gone: UInt64?
            switch draw(4) {
            case 0: gone = crowd.next(notBefore: now, late: { _ in Issue.record("nobody is late") })
            case 1: gone = crowd.makeRoom(for: place)
            case 2:
                if let some = inside.keys.sorted().dropFirst(draw(5)).first, let place = inside[some] {
                    gone = crowd.remove(some, from: place)
                    #expect(gone == some)
                }
            default: break
            }
            if let gone { #expect(inside.removeValue(forKey: gone) != nil) }
            crowd.append(id, id: id, from: place, at: now)
            inside[id] = place
            #expect(crowd.count == inside.count)
        }
        #expect(Set(crowd.removeAll()) == Set(inside.keys) && crowd.count == 0)
    }
}

/// A queue, and the order in which it was worked off. What is called "a0" waits to be let go.
private final class Worked: Sendable {
    let queue: HashQueue
    private let gate = DispatchSemaphore(value: 0)
    private let names = Mutex<[String]>([])

    init(_ limits: HashQueue.Limits) {
        queue = HashQueue(limits)
    }

    var order: [String] { names.withLock { $0 } }

    func letGo() { gate.signal() }

    /// - Parameter name: with the place in front.
    /// - Returns: whether it was worked for.
    func run(_ name: String) async -> Bool {
        let done: Void? = try? await queue.run(for: String(name.prefix(1))) {
            if name == "a0" { self.gate.wait() }
            self.names.withLock { $0.append(name) }
        }
        return done != nil
    }
}

@Suite struct FairHashQueueTests {
    private let gate = DispatchSemaphore(value: 0)

    /// One network fills the queue, and still there is room for another, at the cost of its last.
    @Test func oneNetworkCannotFillTheQueue() async throws {
        let worked = Worked(.init(threads: 1, length: 3, wait: .seconds(60)))
        let queue = worked.queue
        let first = Task { await worked.run("a0") }
        while queue.depth != (0, 1) { try await Task.sleep(for: .milliseconds(1)) }
        var crowd: [Task<Bool, Never>] = []
        for number in 1...3 {
            crowd.append(Task { await worked.run("a\(number)") })
            while queue.depth.waiting < number { try await Task.sleep(for: .milliseconds(1)) }
        }
        // The crowd's own next one is told so at once.
        #expect(await !worked.run("a4"))
        let other = Task { await worked.run("b1") }
        #expect(await !crowd[2].value)
        worked.letGo()
        #expect(await other.value)
        for task in [first, crowd[0], crowd[1]] { #expect(await task.value) }
        #expect(worked.order == ["a0", "a1", "b1", "a2"])
        queue.stop()
    }

    /// All of whom the wait has room for are served, from one address or many.
    @Test func theDefaultsTakeAHundredAndFiftyAtOnce() async throws {
        let limits = PasswordHasher.Configuration()
        #expect(limits.threads == 1 && limits.maximumWait == .seconds(5))
        let queue = HashQueue(.init(threads: 1, length: limits.queueLength, wait: limits.maximumWait))
        let gate = gate
        let first = Task { (try? await queue.run(for: "a") { gate.wait() }) != nil }
        while queue.depth != (0, 1) { try await Task.sleep(for: .milliseconds(1)) }
        let served = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<150 { group.addTask { (try? await queue.run(for: "a") {}) != nil } }
            while queue.depth.waiting < 150 { try? await Task.sleep(for: .milliseconds(1)) }
            gate.signal()
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(served == 150)
        #expect(await first.value)
        queue.stop()
    }

    @Test func networksAreToldApart() {
        func site(_ text: String) -> String { Client(address: IPAddress(text)).site }
        #expect(site("192.0.2.1") == site("192.0.2.255") && site("192.0.2.1") != site("192.0.3.1"))
        #expect(site("2001:db8:1:2::1") == site("2001:db8:1:ffff::1") && site("2001:db8:1::1") != site("2001:db8:2::1"))
        #expect(site("::ffff:192.0.2.7") == site("192.0.2.1"))
        #expect(Client(address: nil).site == "unknown")
    }
}
