import Core
import Logging
import Synchronization
import Testing

@testable import Accounts

/// Answers each request with the same, and notes what was asked.
private final class StubFetcher: HTTPFetching {
    private let answer: Result<FetchResponse, FetchError>
    private let asked = Mutex<[FetchRequest]>([])
    var requests: [FetchRequest] { asked.withLock { $0 } }

    init(_ body: String, status: Int = 200) {
        answer = .success(FetchResponse(status: status, headers: [], body: Array(body.utf8)))
    }

    init(_ error: FetchError) { answer = .failure(error) }

    func fetch(_ request: FetchRequest) async throws -> FetchResponse {
        asked.withLock { $0.append(request) }
        return try answer.get()
    }
}

@Suite struct BreachCheckTests {
    private static let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    // SHA-1 of "password".
    private static let ending = "1E4C9B93F3F0682250B6CF8331B7EE68FD8"
    private static let other = "003D68EB55068C33ACE09247EE4C639306B"

    private func isBreached(_ fetcher: StubFetcher, _ password: String = "password") async -> Bool {
        await BreachCheck("https://breach.example.com/range/", fetcher: fetcher, log: Self.log)
            .isBreached(SecretBytes(copying: Array(password.utf8)))
    }

    @Test func onlyFiveDigitsLeave() async throws {
        let fetcher = StubFetcher("\(Self.other):3\r\n\(Self.ending):9545824\r\n")
        #expect(await isBreached(fetcher))
        let request = try #require(fetcher.requests.first)
        #expect(request.url == "https://breach.example.com/range/5BAA6")
        #expect(request.headers.contains { $0 == ("Add-Padding", "true") })
        #expect(request.body == nil && fetcher.requests.count == 1)
    }

    @Test func paddingAndOthersAreNoMatch() async {
        #expect(await !isBreached(StubFetcher("\(Self.ending):0\r\n\(Self.other):1\n")))
        #expect(await !isBreached(StubFetcher("")))
        #expect(await !isBreached(StubFetcher("\(Self.ending):1"), "another"))
    }

    @Test(arguments: [
        "<html>1E4C9B93F3F0682250B6CF8331B7EE68FD8:1</html>", "1E4C:1", ending, "\(ending):", "\(ending):1:2", ":1",
    ]) func whatIsNoListIsNoAnswer(_ body: String) async {
        #expect(await !isBreached(StubFetcher(body)))
        #expect(BreachCheck.endings(Array(body.utf8)) == nil)
    }

    /// Whoever is signed in does not make us ask without end.
    @Test func itIsAskedNoMoreOftenThanPasswordsMayBeTried() async throws {
        let accounts = try TestAccounts()
        try accounts.addPerson()
        let fetcher = StubFetcher("")
        var configuration = AccountOperations.Configuration()
        configuration.limits = LimitPolicy(signIn: RateLimit(count: 1, per: .seconds(3600), burst: 4))
        let operations = AccountOperations(
            store: accounts.store, hasher: accounts.hasher, limiter: accounts.limiter,
            breaches: BreachCheck("https://breach.example.com/range", fetcher: fetcher, log: Self.log),
            configuration: configuration)
        let principal = try accounts.principal(try await accounts.signIn(operations))
        var codes: [AccountsError.Code?] = []
        for _ in 0..<5 {
            codes.append(
                await refusal {
                    _ = try await operations.changePassword(
                        of: principal, current: TestAccounts.secret("not this one, surely"),
                        to: TestAccounts.secret("a quite different passphrase"), from: TestAccounts.client)
                })
        }
        #expect(codes == [.invalidCredentials, .invalidCredentials, .invalidCredentials, .rateLimited, .rateLimited])
        #expect(fetcher.requests.count == 3)
    }

    @Test func aServiceThatIsDownKeepsNobodyOut() async {
        #expect(await !isBreached(StubFetcher(FetchError(.timedOut, "too late"))))
        #expect(await !isBreached(StubFetcher("\(Self.ending):1", status: 503)))
        #expect(await !isBreached(StubFetcher("\(Self.ending):1"), "no\0password"))
    }
}
