import Core
import Testing

@Suite struct AddressTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::1", "::1"),
        ("::", "::"), ("2001:db8::1", "2001:db8::1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"), ("1::", "1::"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ])
    func readsAndWrites(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
    }

    @Test(arguments: [
        "", "a", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80", "[::1]",
        "::1%eth0",
        ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", ":1",
        "1:",
        "1.2.3.4\u{0}", "1..2.3", "0x7f.0.0.1", "1:2:3:4:5:6:7:8::", "１.2.3.4",
    ])
    func refuses(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func networksContainTheirOwn() throws {
        let ten = try #require(Network("10.0.0.0/8"))
        #expect(ten.contains(try #require(IPAddress("10.255.0.1"))))
        #expect(!ten.contains(try #require(IPAddress("11.0.0.0"))))
        #expect(!ten.contains(try #require(IPAddress("::10.0.0.1"))))
        #expect(try #require(Network("0.0.0.0/0")).contains(try #require(IPAddress("203.0.113.9"))))
        #expect(!(try #require(Network("::/0")).contains(try #require(IPAddress("203.0.113.9")))))
        #expect(try #require(Network("2001:db8::/32")).overlaps(try #require(Network("2001:db8:1::/48"))))
        #expect(!(try #require(Network("10.0.0.0/9")).overlaps(try #require(Network("10.128.0.0/9")))))
        #expect(try #require(Network("192.0.2.7")).description == "192.0.2.7/32")
    }

    @Test(arguments: [
        "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8", "/8",
    ])
    func refusesNetworks(text: String) {
        #expect(Network(text) == nil)
    }
}

@Suite struct LoopbackTests {
    @Test(arguments: ["localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "[::1]", "::ffff:127.0.0.1"])
    func staysHere(host: String) {
        #expect(Loopback.isHost(host))
    }

    @Test(arguments: [
        "", "idp.localhost", "localhost.example.com", "128.0.0.1", "::2", "[::1", "127.0.0.1.example.com",
    ])
    func mayLeave(host: String) {
        #expect(!Loopback.isHost(host))
    }

    @Test func namesBelowLocalhostAreThisMachineToBrowsers() {
        for host in ["localhost", "apps.localhost", "Wiki.Apps.LocalHost"] {
            #expect(Loopback.isLocalhost(host))
        }
        for host in ["", "127.0.0.1", "notlocalhost", "localhost.example.com", "localhost."] {
            #expect(!Loopback.isLocalhost(host))
        }
    }
}

@Suite struct EmailAddressTests {
    @Test func comparesFolded() throws {
        let address = try #require(EmailAddress("Ann.Lee+x@Example.COM"))
        #expect(address.description == "Ann.Lee+x@example.com")
        #expect(address.canonical == "ann.lee+x@example.com")
        #expect(address == EmailAddress("ann.lee+X@example.com"))
    }

    @Test func reachesToItsLimits() {
        func address(local: Int, label: Int) -> EmailAddress? {
            EmailAddress("\(String(repeating: "a", count: local))@\(String(repeating: "b", count: label)).de")
        }
        #expect(address(local: 64, label: 63) != nil)
        #expect(address(local: 65, label: 63) == nil && address(local: 64, label: 64) == nil)
        #expect(EmailAddress("A@LOCALHOST")?.description == "A@localhost")
        #expect(EmailAddress("!#$%&'*+-/=?^_`{|}~@a-b.c--d.9") != nil)
    }

    @Test(arguments: [
        "a@c-.de", "a@-", "a@.de", "a@c.-d", "a.@c.de", ".@c.de", "@", "@@", "a@localhost.", "a@@c.de", "a@c,de",
        "a@c.d_e", "a\u{7f}@c.de", "",
        "a@evil.com@corp.com", "a@", "@b.c", "a", "a@b", "a..b@c.de", ".a@c.de", "a@c.de.", "a@-c.de", "\"a\"@c.de",
        "a b@c.de",
        "a@c.de\n", "a@c.de\u{0}", "ä@c.de", "a@ä.de", "a@[127.0.0.1]", "a@c..de", "<a@c.de>",
    ])
    func lesson07_oneStrictParser(text: String) {
        #expect(EmailAddress(text) == nil)
    }
}
