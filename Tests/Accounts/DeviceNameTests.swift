import Core
import Testing

@testable import Accounts

@Suite struct DeviceNameTests {
    @Test func mailsNameADeviceInOurWordsOnly() {
        let now = Timestamp(seconds: 1_800_000_000)
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        #expect(Client(userAgent: firefox).occasion(at: now).device == "Firefox on Linux")
        #expect(Client(userAgent: "Unlock it at https://evil.example").occasion(at: now).device == nil)
        let named = Client(userAgent: firefox, deviceName: "https://evil.example")
        #expect(named.occasion(at: now).device == "Firefox on Linux")
        #expect((try? named.keptDeviceName()) == "https://evil.example")
    }
}
