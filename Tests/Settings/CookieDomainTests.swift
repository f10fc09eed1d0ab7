import Settings
import Testing

@Suite struct CookieDomainTests {
    @Test(arguments: [
        (["auth.example.com", "wiki.example.com"], "example.com"),
        (["auth.example.com", "wiki.example.com", "a.b.example.com"], "example.com"),
        (["example.com", "wiki.example.com"], "example.com"),
        (["auth.apps.localhost", "wiki.apps.localhost"], "apps.localhost"),
        (["auth.example.com", "*.apps.example.com"], "example.com"),
        (["apps.example.com", "*.apps.example.com"], "apps.example.com"),
        (["a.auth.example.com", "b.auth.example.com"], "auth.example.com"), (["auth.example.com"], "auth.example.com"),
    ])
    func isAboveAll(hosts: [String], domain: String) {
        #expect(CookieDomain.above(hosts) == domain)
    }

    @Test(arguments: [
        [], ["localhost"], ["auth.localhost", "wiki.localhost"], ["auth.example.com", "wiki.example.org"],
        ["127.0.0.1", "127.0.0.1"], ["10.0.0.1", "1.0.0.1"], ["[::1]", "[::1]"], ["auth.example.com", "com"],
        ["xexample.com", "example.com"], ["auth.example.com", "127.0.0.1"],
    ])
    func isNone(hosts: [String]) {
        #expect(CookieDomain.above(hosts) == nil)
    }
}
