import Testing

@testable import Accounts
@testable import Portal
@testable import Proxy

/// The secret of a mailed link stands in its path: no log may hold it.
@Suite struct LinkPageTests {
    @Test(arguments: LinkPurpose.allCases)
    func theAccessLogHidesTheSecretOfEveryLink(_ purpose: LinkPurpose) {
        let shown = FrontHandler.withoutToken("/.auth/\(purpose.page)/very-secret")
        #expect(shown == "/.auth/\(purpose.page)/…")
    }

    /// Whatever other page takes a secret in its path.
    @Test func theAccessLogHidesWhateverPagesTakeInTheirPath() {
        let paths = Endpoint.all.map(\.path).filter { $0.contains("{token}") }
        #expect(paths.count >= 9)
        for path in paths {
            let shown = FrontHandler.withoutToken(path.replacing("{token}", with: "very-secret"))
            #expect(!shown.contains("secret"), "\(path)")
        }
    }
}
