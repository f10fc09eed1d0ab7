import Glibc
import Testing

@testable import App

@Suite struct LogWriterTests {
    private func pipePair() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    private func readAll(_ descriptor: Int32, until: (String) -> Bool) -> String {
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while !until(String(decoding: text, as: UTF8.self)) {
            let count = read(descriptor, &piece, piece.count)
            guard count > 0 else { break }
            text += piece[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }

    @Test func linesComeInOrder() throws {
        let ends = try pipePair()
        let writer = LogWriter(descriptor: ends.write)
        for number in 0..<500 { writer.write("line \(number)\n") { _ in "lost\n" } }
        writer.finish()
        let text = readAll(ends.read) { $0.hasSuffix("line 499\n") }
        #expect(text == (0..<500).map { "line \($0)\n" }.joined())
        #expect(writer.lost == 0)
        close(ends.read)
        close(ends.write)
    }

    /// Nobody reads: whoever logs goes on, what does not fit is counted, and later there is a line about it.
    @Test func nobodyWaitsForAPipe() throws {
        let ends = try pipePair()
        let writer = LogWriter(descriptor: ends.write, capacity: 10_000)
        let line = String(repeating: "x", count: 999) + "\n"
        for _ in 0..<500 { writer.write(line) { _ in "lost\n" } }
        #expect(writer.lost > 0)
        var text = ""
        while !text.contains("lost") {
            // There is always something to read: the line of the last round at least.
            text += readAll(ends.read) { !$0.isEmpty }
            writer.write("more\n") { "lost \($0)\n" }
        }
        writer.finish()
        #expect(text.contains("lost"))
        close(ends.read)
        close(ends.write)
    }

    @Test func aDiskThatIsFullLosesLines() throws {
        let descriptor = open("/dev/full", O_WRONLY)
        try #require(descriptor >= 0)
        let writer = LogWriter(descriptor: descriptor)
        writer.write("one\ntwo\n") { _ in "" }
        writer.finish()
        #expect(writer.lost == 2)
        #expect(writer.metrics.contains("gatehouse_log_lost_total 2\n"))
        close(descriptor)
    }

    @Test func descriptors() {
        #expect(DescriptorBudget(limit: 1_048_576).connections == 65_536)
        #expect(DescriptorBudget(limit: 1024).connections == 384)
        #expect(DescriptorBudget(limit: 256).connections == 96)
        #expect(DescriptorBudget(limit: 0).connections == 8)
        for limit in stride(from: 64, to: 4096, by: 7) {
            let budget = DescriptorBudget(limit: limit)
            #expect(budget.connections + budget.upstreamConnections + 24 <= max(limit, 48))
            #expect(budget.upstreamConnections > budget.connections)
        }
    }
}
