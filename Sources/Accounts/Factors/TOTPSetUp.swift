internal import Core

/// What a person needs to set up an authenticator; there this once. Part of no `Encodable` type.
public struct TOTPSetUp: Sendable {
    /// In base 32.
    public let secret: String
    /// `otpauth://totp/…`, for a QR code.
    public let uri: String
    /// Good together with the authenticator; empty where they come only when it is proved.
    public let backupCodes: [String]
}

extension TOTPSetUp {
    /// The key URI format that authenticators read: issuer and account from what the operator has configured and what
    /// we keep, never from the request (lesson 66).
    static func uri(secret: String, issuer: String, account: String, _ record: TOTPRecord) -> String {
        let label = "\(escaped(issuer)):\(escaped(account))"
        return "otpauth://totp/\(label)?secret=\(secret)&issuer=\(escaped(issuer))"
            + "&algorithm=\(record.algorithm)&digits=\(record.digits)&period=\(record.period)"
    }

    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8.prefix(128) {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "@"):
                result.append(byte)
            default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
