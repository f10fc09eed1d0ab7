import Core
import Glibc
import Policy
import Testing

@testable import Proxy

/// Clients that take without giving.
@Suite(.serialized)
struct GreedyClientTests {
    /// Requests without end from somebody who reads no answer: neither answers nor requests may pile up.
    @Test func pipeliningWithoutReadingIsHeldBack() async throws {
        try await withHarness(try await Harness()) { harness in
            let client = try harness.connect()
            let one = Harness.request("GET", "/nowhere/\(String(repeating: "x", count: 100))")
            let batch = Array(String(repeating: one, count: 200).utf8)
            let sent = Counter()
            let writer = Task {
                for _ in 0..<2000 {
                    guard try await client.write(batch) else { return }
                    sent.add(1)
                }
            }
            var last = -1
            while sent.value != last {
                last = sent.value
                try await Task.sleep(for: .milliseconds(300))
            }
            // 2000 batches would be 60 MB of requests and 200 MB of answers.
            #expect(last < 1500)
            client.hangUp()
            try await writer.value
        }
    }
}
