import Glibc

@testable import Proxy

/// Two self-signed certificates with their keys, good for a hundred years and for nothing but these tests.
enum TestCertificates {
    /// For `Wiki.example.com`, `*.example.org`, 127.0.0.1 and an e-mail address; ends at 4949001458.
    static let wiki =
        """
        -----BEGIN CERTIFICATE-----
        MIIBuDCCAV6gAwIBAgIUaq3NXMzcrjESBgacopZSCMJmdQEwCgYIKoZIzj0EAwIw
        DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjMwMjM3MzhaGA8yMTI2MTAzMDAyMzcz
        OFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABK6g
        nG09UgUSzaaHQknf4y5Wi/qNQqd3Xmt6M0DfS/kUOfHl4XwadzKYDdv+nm4Mb5fb
        mS6ZPAPg9UDTu0gwS5mjgZUwgZIwHQYDVR0OBBYEFAYFlDOxhJVACdSne11RX7Y5
        xoAPMB8GA1UdIwQYMBaAFAYFlDOxhJVACdSne11RX7Y5xoAPMA8GA1UdEwEB/wQF
        MAMBAf8wPwYDVR0RBDgwNoIQV2lraS5leGFtcGxlLmNvbYINKi5leGFtcGxlLm9y
        Z4cEfwAAAYENYUBleGFtcGxlLmNvbTAKBggqhkjOPQQDAgNIADBFAiARr7L9G4dt
        /X8NtADrM16DpmH5OhFLKeftOPIK09RoUwIhAMbeVWGieQYTSu6dQVFDTR8SRA/x
        ORA3pygArbdQxGjA
        -----END CERTIFICATE-----

        """

    static let wikiKey =
        """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJGktDxg7VS6An5/Z
        ImbaREpRSEg9iQuu1RxvxA86+EehRANCAASuoJxtPVIFEs2mh0JJ3+MuVov6jUKn
        d15rejNA30v5FDnx5eF8GncymA3b/p5uDG+X25kumTwD4PVA07tIMEuZ
        -----END PRIVATE KEY-----

        """

    /// For no name.
    static let nameless =
        """
        -----BEGIN CERTIFICATE-----
        MIIBfTCCASOgAwIBAgIUBSqFA7NqAyGj7sb6/QrCMKiKEvkwCgYIKoZIzj0EAwIw
        EzERMA8GA1UEAwwIbmFtZWxlc3MwIBcNMjYxMTIzMDIzNzM4WhgPMjEyNjEwMzAw
        MjM3MzhaMBMxETAPBgNVBAMMCG5hbWVsZXNzMFkwEwYHKoZIzj0CAQYIKoZIzj0D
        AQcDQgAEIuHBGlLyJO8mqk2xJn1HKk6Jn/pnb7UacPlsYr3GVKmKGwe1lQj1zkj0
        JldDMJvSKNK6Thw+bhgaZyZk+rlEmaNTMFEwHQYDVR0OBBYEFGF5EUnB8Z3/QbWw
        NRUE0/xOlMgoMB8GA1UdIwQYMBaAFGF5EUnB8Z3/QbWwNRUE0/xOlMgoMA8GA1Ud
        EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgcXHco87eJ+D2Nouo58j28HaD
        a3vwnY+32VZ1Gjw01n4CIQD5VOmKrVlqD4ph3noCWvrBHQ+VjjOlokJ6AtqEF5gw
        rA==
        -----END CERTIFICATE-----

        """

    static let namelessKey =
        """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWOLd4xo6DiY1sS/I
        Gmt78gexFszyxE3L20tziQbN8MChRANCAAQi4cEaUvIk7yaqTbEmfUcqTomf+mdv
        tRpw+WxivcZUqYobB7WVCPXOSPQmV0Mwm9Io0rpOHD5uGBpnJmT6uUSZ
        -----END PRIVATE KEY-----

        """
}

/// A folder for certificates, gone with its owner.
final class CertificateFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/gatehouse-tls-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
    }

    deinit {
        for name in ["tls.crt", "tls.key", "new"] { unlink(path + "/" + name) }
        rmdir(path)
    }

    var files: KeyPairFiles { KeyPairFiles(certificate: path + "/tls.crt", privateKey: path + "/tls.key") }

    /// Puts `text` in the place of a file in one step.
    func put(_ text: String, _ name: String, mode: mode_t = 0o600) {
        let new = path + "/new"
        unlink(new)
        let descriptor = open(new, O_WRONLY | O_CREAT, mode)
        defer { close(descriptor) }
        var text = text
        _ = text.withUTF8 { write(descriptor, $0.baseAddress, $0.count) }
        fchmod(descriptor, mode)
        rename(new, path + "/" + name)
    }

    /// A whole pair.
    func put(certificate: String = TestCertificates.wiki, key: String = TestCertificates.wikiKey) {
        put(certificate, "tls.crt")
        put(key, "tls.key")
    }
}
