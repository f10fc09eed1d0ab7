import Core

/// The cookies that only Gatehouse sets: an app on the same domain that set one of them could sign a browser in as
/// somebody else, or out (session fixation).
struct OwnCookies: Sendable {
    /// `NAME` for apps, `NAME-portal`, `-device` and `-browser`, each bare and with the prefixes of RFC 6265bis section 4.1.3.
    private let names: [[UInt8]]
    /// The one name that is read for a verdict, as it is set.
    let app: [UInt8]
    /// The one name that is read for the portal.
    let portal: [UInt8]
    /// Likewise for a known device, and for the browser that was shown a form.
    let device: [UInt8]
    let browser: [UInt8]

    /// - Parameters:
    ///   - name: the configured name of the session cookie.
    ///   - domain: nil: it is host-only.
    ///   - isSecure: the portal is reached by https.
    init(name: String, domain: String? = nil, isSecure: Bool = true) {
        let names = SessionCookieNames(name: name, domain: domain, isSecure: isSecure)
        app = Array(names.app.utf8)
        portal = Array(names.portal.utf8)
        device = Array(names.device.utf8)
        browser = Array(names.browser.utf8)
        self.names = Self.all(name)
    }

    private static func all(_ name: String) -> [[UInt8]] {
        ["", "__Host-", "__Secure-"].flatMap { prefix in
            ["", "-portal", "-device", "-browser"].map { Array((prefix + name + $0).utf8) }
        }
    }

    /// A `Set-Cookie` with one of the names. Browsers take the text up to the first `=` without surrounding blanks for
    /// the name, and one without `=` for a cookie without a name, whose value they send as if it were the whole pair.
    func contains(setCookie value: UnsafeRawBufferPointer) -> Bool {
        let pair = value.prefix { $0 != UInt8(ascii: ";") }
        var name = ByteSearch.trimmed(UnsafeRawBufferPointer(rebasing: pair.prefix { $0 != UInt8(ascii: "=") }))
        if name.isEmpty {
            let rest = pair.drop { $0 != UInt8(ascii: "=") }.dropFirst()
            name = ByteSearch.trimmed(
                UnsafeRawBufferPointer(rebasing: rest.prefix { $0 != UInt8(ascii: "=") }))
        }
        return contains(name: name)
    }

    /// A cookie of a request with one of the names, however it is spelled.
    func contains(name: UnsafeRawBufferPointer) -> Bool {
        for own in names where own.count == name.count {
            if own.withUnsafeBytes({ ByteSearch.equalIgnoringCase(name, $0) }) { return true }
        }
        return false
    }
}
