import Core
import Testing

@testable import Portal

@Suite struct LaneTests {
    private func lane(_ method: String, _ path: String, refusal: Reason? = nil) -> LocalLane {
        Endpoint.lane(
            of: LocalRequest(
                method: method, path: path, query: nil, host: "auth.example.com", headers: [], body: [], identity: nil,
                clientAddress: nil, requestID: "r", refusal: refusal))
    }

    /// A row that names nothing would let a crowd into the lane of everybody else.
    @Test func everyRowIsAnEndpoint() {
        for row in Endpoint.withPassword + Endpoint.withProvider {
            #expect(Endpoint.all.contains { $0.method == row.method && $0.path == row.path }, "\(row)")
        }
    }

    @Test func whatWaitsIsApart() {
        #expect(lane("POST", "/.auth/login") == .password)
        #expect(lane("POST", "/.auth/api/login") == .password)
        #expect(lane("POST", "/.auth/reset-password/abc") == .password)
        #expect(lane("GET", "/.auth/oauth/corp/callback") == .provider)
        #expect(lane("GET", "/.auth/api/oauth/corp") == .provider)
    }

    @Test func allElseIsPrompt() {
        #expect(lane("GET", "/.auth/login") == .prompt)
        #expect(lane("GET", "/.auth/api/me") == .prompt)
        #expect(lane("POST", "/.auth/api/logout") == .prompt)
        #expect(lane("POST", "/.auth/login/") == .prompt)
        #expect(lane("POST", "") == .prompt)
        #expect(lane("POST", "/.auth/login", refusal: .groupMissing) == .prompt)
    }
}
