import Testing

@testable import Proxy

@Suite struct AccessPathTests {
    /// Whoever reads the log must not be able to use a link before its owner does.
    @Test func tokensOfLinksStayOutOfTheLog() {
        #expect(FrontHandler.withoutToken("/.auth/reset-password/abc") == "/.auth/reset-password/…")
        #expect(FrontHandler.withoutToken("/.auth/unlock/abc/def") == "/.auth/unlock/…")
        #expect(FrontHandler.withoutToken("/.auth/login") == "/.auth/login")
        #expect(FrontHandler.withoutToken("/reset-password/abc") == "/reset-password/abc")
        for path in ["/wiki/a%20b;c", "/.auth/api/magic-link/verify", "/wiki//reset-password/x"] {
            #expect(FrontHandler.withoutToken(path) == path)
        }
    }

    /// A path that was refused for its spelling is kept as well, and the link is as good.
    @Test(arguments: [
        "/.%61uth/reset-password/abc", "/.auth/%72eset-password/abc", "//.auth/reset-password/abc",
        "/x/../.auth/reset-password/abc", "/.auth;a/reset-password/abc", "/.auth/./reset-password/abc",
        "/.auth%2freset-password%2fabc", "/.auth\\reset-password\\abc", "/.auth/reset-password;a/abc",
    ])
    func inWhateverSpelling(_ path: String) {
        #expect(FrontHandler.withoutToken(path) == "/.auth/reset-password/…")
    }

    /// Nor in another spelling: what is no page of ours for us may have become so on its way.
    @Test(arguments: [
        "/.%61uth/reset-password/TOKEN", "/%2Eauth/reset%2dpassword/TOKEN", "/.AUTH/Reset-Password/TOKEN",
        "//.auth/reset-password/TOKEN", "/.auth//reset-password/TOKEN", "/.auth/./reset-password/TOKEN",
        "/.auth;a=b/reset-password;c/TOKEN", "/.auth%2freset-password%2FTOKEN", "/.auth\\reset-password\\TOKEN",
        "/.%2561uth/reset-password/TOKEN", "/x/.auth/reset-password/TOKEN", "/.auth/reset-password/%2fTOKEN",
    ])
    func inNoSpelling(_ path: String) {
        #expect(FrontHandler.withoutToken(path) == "/.auth/reset-password/…")
    }

    @Test(arguments: [
        "/.auth/reset-password", "/.auth", "/.auth/account/reset-password/x", "/a%2fb", "/%", "/%4", "/.well-known/x",
        "/.authx/reset-password/x", "/.auth/x;/unlock/y", "",
    ])
    func otherPathsStayAsTheyCame(_ path: String) {
        #expect(FrontHandler.withoutToken(path) == path)
    }
}
