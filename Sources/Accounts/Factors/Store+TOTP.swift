internal import Core
internal import Cryptography
internal import LMDB

extension Store {
    /// RFC 4226 section 4 asks for 160 bits.
    private static let secretByteCount = 20

    /// What the user can prove, all kinds together.
    func factorStanding(
        of userID: String, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> FactorStanding {
        FactorStanding(
            totp: try Tables.totp.get(userID, in: transaction)?.isActive ?? false,
            passkeys: try Tables.passkeysByUser.keys(prefix: KeyPair<String, [UInt8]>.prefix(userID), in: transaction)
                .count,
            backupCodes: try Tables.backupCodes.get(userID, in: transaction)?.digests.count ?? 0)
    }

    /// A new secret for an authenticator, sealed, and its text.
    func newTOTPSecret(for userID: String) throws(AccountsError) -> (sealed: String, text: String) {
        let bytes: [UInt8]
        do {
            bytes = try random.bytes(Self.secretByteCount)
        } catch {
            throw AccountsError(.store, "The system gave no random bytes.", cause: error)
        }
        let sealed = try masterKeys().seal(bytes, in: .totpSecret, key: userID)
        return (Base64.encode(sealed), Base32.encode(bytes))
    }

    func secret(of record: TOTPRecord, user userID: String) throws(AccountsError) -> SecretBytes {
        guard let sealed = Base64.decode(record.sealed) else {
            throw AccountsError(.damaged, "The authenticator of \(userID) cannot be read.")
        }
        return try masterKeys().open(sealed, in: .totpSecret, key: userID)
    }

    /// The step whose code `text` is, whether it was accepted before or not.
    func step(
        of text: String, _ record: TOTPRecord, user userID: String, at now: Timestamp
    ) throws -> Int64? {
        guard let algorithm = OneTimePassword.Algorithm(rawValue: record.algorithm) else {
            throw AccountsError(.damaged, "The authenticator of \(userID) has an unknown algorithm.")
        }
        let password = try OneTimePassword(
            secret: try secret(of: record, user: userID), algorithm: algorithm, digits: record.digits,
            period: record.period)
        return try password.step(of: text, at: now)
    }
}
