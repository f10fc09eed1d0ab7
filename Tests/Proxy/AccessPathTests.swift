import Testing

@testable import Proxy

@Suite struct AccessPathTests {
    /// Whoever reads the log must not be able to use a link before its owner does.
    @Test func tokensOfLinksStayOutOfTheLog() {
        #expect(FrontHandler.withoutToken("/.auth/reset-password/abc") == "/.auth/reset-password/…")
        #expect(FrontHandler.withoutToken("/.auth/unlock/abc/def") == "/.auth/unlock/…")
        #expect(FrontHandler.withoutToken("/.auth/login") == "/.auth/login")
        #expect(FrontHandler.withoutToken("/reset-password/abc") == "/reset-password/abc")
    }
}
