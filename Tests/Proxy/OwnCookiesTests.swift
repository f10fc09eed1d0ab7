import Testing

@testable import Proxy

@Suite struct OwnCookiesTests {
    private func isOwn(_ value: String) -> Bool {
        Array(value.utf8).withUnsafeBytes { OwnCookies(name: "gatehouse").contains(setCookie: $0) }
    }

    @Test(arguments: [
        "gatehouse=x", "gatehouse-portal=x; Path=/", " gatehouse =x", "__Host-gatehouse=x",
        "__Secure-gatehouse-portal=x",
        "__HOST-Gatehouse=x", "gatehouse", "=gatehouse=x", "= gatehouse-portal =x", "gatehouse;x", "\tgatehouse\t=",
    ])
    func lesson08_noAppSetsOurs(value: String) {
        #expect(isOwn(value))
    }

    @Test(arguments: [
        "", "=", "a=gatehouse", "gatehouse2=x", "x-gatehouse=x", "gatehouse_own=x", "session=1; gatehouse=x",
        "==gatehouse=x",
    ])
    func othersPass(value: String) {
        #expect(!isOwn(value))
    }
}
