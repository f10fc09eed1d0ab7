public import Core
internal import Cryptography

/// An authenticator app of another system: what it makes codes by, as it is.
public struct ImportedAuthenticator: Sendable, Equatable {
    /// Shorter secrets can be found out from a few codes (RFC 4226 section 4 asks for 128 bits; many have 80).
    static let fewestBytes = 10
    private static let mostBytes = 128

    let secret: [UInt8]
    let algorithm: OneTimePassword.Algorithm
    let digits: Int
    let period: Int
    /// When a code of it was last accepted there: none of that step or an earlier one is good here.
    var lastUsedAt: Timestamp?

    /// - Parameters:
    ///   - secret: in base 32.
    ///   - algorithm: `SHA1`, `SHA256`, `SHA512` in any case.
    /// - Throws: a sentence without the secret.
    public init(
        secret: String, algorithm: String = "SHA1", digits: Int = 6, period: Int = 30, lastUsedAt: Timestamp? = nil
    ) throws(ImportedAuthenticatorError) {
        let bare = String(decoding: secret.utf8.filter { $0 != 0x20 && $0 != 0x2d }, as: UTF8.self)
        guard let bytes = Base32.decode(bare) else { throw .init("the secret of its authenticator is no base 32") }
        guard (Self.fewestBytes...Self.mostBytes).contains(bytes.count) else {
            throw .init("the secret of its authenticator has \(bytes.count) bytes, not 10 to 128")
        }
        guard let algorithm = OneTimePassword.Algorithm(rawValue: algorithm.uppercased()) else {
            throw .init("\(quoted(algorithm)) is no algorithm of an authenticator: SHA1, SHA256, SHA512 are")
        }
        guard OneTimePassword.allowedDigits.contains(digits), OneTimePassword.allowedPeriods.contains(period) else {
            throw .init("an authenticator has 6 to 8 digits and 15 to 300 seconds, not \(digits) and \(period)")
        }
        self.secret = bytes
        self.algorithm = algorithm
        self.digits = digits
        self.period = period
        self.lastUsedAt = lastUsedAt
    }

    /// The key URI format: `otpauth://totp/LABEL?secret=…&algorithm=…&digits=…&period=…`.
    public init(uri: String) throws(ImportedAuthenticatorError) {
        let scheme = "otpauth://"
        guard uri.utf8.count <= 2048, uri.lowercased().hasPrefix(scheme) else {
            throw .init("its authenticator is no otpauth:// address")
        }
        let rest = uri.dropFirst(scheme.count)
        guard rest.prefix(5).lowercased() == "totp/" else {
            throw .init("its authenticator counts and does not go by time: only otpauth://totp/ can be taken over")
        }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var values: [String: String] = [:]
        for pair in (parts.count == 2 ? parts[1] : "").split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, let value = Self.decoded(halves[1]) else {
                throw .init("the address of its authenticator cannot be read")
            }
            // Of two secrets nobody can say which is meant.
            guard values.updateValue(value, forKey: halves[0].lowercased()) == nil else {
                throw .init("the address of its authenticator says something twice")
            }
        }
        guard let secret = values["secret"] else { throw .init("the address of its authenticator has no secret") }
        guard values["encoder"] == nil else {
            throw .init("the codes of its authenticator are no digits")
        }
        guard let digits = Self.number(values["digits"], or: 6), let period = Self.number(values["period"], or: 30)
        else { throw .init("the address of its authenticator has digits or a period that is no number") }
        try self.init(secret: secret, algorithm: values["algorithm"] ?? "SHA1", digits: digits, period: period)
    }

    private static func number(_ text: String?, or absent: Int) -> Int? {
        guard let text else { return absent }
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
                continue
            }
            guard let value = Hexadecimal.decode(String(decoding: rest.prefix(2), as: UTF8.self)), value.count == 1
            else { return nil }
            bytes += value
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The password that its codes come from.
    func password() throws(CryptographyError) -> OneTimePassword {
        try OneTimePassword(
            secret: SecretBytes(copying: secret), algorithm: algorithm, digits: digits, period: period)
    }
}

/// Why something is no authenticator.
public struct ImportedAuthenticatorError: Error, Sendable, Equatable {
    /// What is wrong; holds no secret.
    public let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
