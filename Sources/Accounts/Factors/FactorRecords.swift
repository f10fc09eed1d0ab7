internal import Core

/// A user's authenticator for one-time passwords as it is stored. What it makes codes by is kept with it, so that those
/// of other systems can be taken over as they are.
struct TOTPRecord: JSONRecord, Equatable {
    /// The secret, sealed, in base 64.
    var sealed: String
    /// `SHA1`, `SHA256` or `SHA512`.
    var algorithm: String
    var digits: Int
    /// In seconds.
    var period: Int
    var createdAt: Timestamp
    /// When a code proved it; nil: it is set up and good for nothing yet.
    var activeSince: Timestamp?
    /// The step of the last code that was accepted: no code of this step or an earlier one is good again.
    var lastStep: Int64?
    var lastUsedAt: Timestamp?
    /// The digests of backup codes that become good together with it.
    var backupCodes: [String]?
    /// The session, or the sign-in that has come half the way, that has begun the set-up: nobody else sees its secret or
    /// proves it. Nil: whoever it was cannot be known, and has to begin again.
    var owner: String?

    var isActive: Bool { activeSince != nil }

    /// A set-up that nobody proves ends.
    static let setUpLifetime = Duration.seconds(3600)
}

/// A user's backup codes: those that were not used yet.
struct BackupCodesRecord: JSONRecord, Equatable {
    /// SHA-256 in hexadecimal. The codes have 80 random bits, so that a digest gives none away.
    var digests: [String]
    var createdAt: Timestamp
}

/// What a user can prove besides a password.
struct FactorStanding: Sendable, Equatable {
    var totp = false
    var passkeys = 0
    var backupCodes = 0

    /// Any of them counts: whoever has enrolled something is never asked for less (lesson 43).
    var hasAny: Bool { totp || passkeys > 0 || backupCodes > 0 }
    /// Something that does not run out: backup codes are for the day on which it is lost.
    var isLasting: Bool { totp || passkeys > 0 }
    /// Something that a code can be given of.
    var takesCodes: Bool { totp || backupCodes > 0 }
}

extension Proof {
    /// With a code of an authenticator or of the backup list besides (RFC 8176).
    var withCode: Proof { adding(["otp"]) }

    /// It has a code or a passkey in it.
    var hasFactor: Bool { factors >= 2 || amr.contains { $0 == "hwk" || $0 == "swk" } }

    func adding(_ more: [String], factors count: Int = 2) -> Proof {
        var amr = amr
        for word in more + (count > 1 ? ["mfa"] : []) where !amr.contains(word) { amr.append(word) }
        return Proof(amr: amr, factors: max(factors, count))
    }
}
