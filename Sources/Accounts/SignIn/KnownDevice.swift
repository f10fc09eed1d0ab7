internal import Core
internal import LMDB

/// A device that a user has signed in with, under the user and the SHA-256 of what tells it from others.
struct KnownDeviceRecord: JSONRecord, Equatable {
    enum Kind: String, Codable {
        /// It holds a secret of ours: only this one is let through a lock.
        case token
        /// What an API client calls itself, which anybody can say: it only spares a mail.
        case name
    }

    var kind: Kind
    var name: String?
    var createdAt: Timestamp
    var expiresAt: Timestamp
    /// Since when it is not asked for a second factor (`login.trust_device`).
    var trustedSince: Timestamp?
}

extension Store {
    /// How long a browser is known after its last sign-in.
    static let deviceIsKnownFor = Duration.seconds(365 * 86_400)

    /// The digest of a token that makes this browser known to this user; nil when it does not.
    func knownDevice(
        _ token: String?, of userID: String, at now: Timestamp,
        in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> [UInt8]? {
        guard let token, let digest = SecretText.digest(presented: token),
            let record = try Tables.knownDevices.get(KeyPair(userID, digest), in: transaction),
            record.kind == .token, record.expiresAt > now
        else { return nil }
        return digest
    }

    /// So many devices one account is known by, and so many more before they are looked at.
    static let mostDevices = (kept: 256, surplus: 32)

    /// Makes a device known, or known for longer.
    ///
    /// - Returns: whether it was not known before.
    func remember(
        device digest: [UInt8], kind: KnownDeviceRecord.Kind, name: String?, of userID: String, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> Bool {
        let key = KeyPair(userID, digest)
        let known = try Tables.knownDevices.get(key, in: transaction)
        let end = now + Self.deviceIsKnownFor
        try Tables.knownDevices.put(
            KnownDeviceRecord(
                kind: kind, name: name, createdAt: known?.createdAt ?? now, expiresAt: end,
                trustedSince: known?.trustedSince), for: key, in: transaction)
        if known == nil {
            try scheduleSweep(.knownDevice(userID, Hexadecimal.encode(digest)), at: end, in: transaction)
            try letGoOfDevices(of: userID, in: transaction)
        }
        return known.map { $0.expiresAt <= now } ?? true
    }

    /// Forgets what an account has too many of: names of API clients first, which only spare a mail, then whatever has not
    /// signed in for longest.
    private func letGoOfDevices(of userID: String, in transaction: borrowing WriteTransaction) throws {
        let keys = try Tables.knownDevices.keys(prefix: KeyPair<String, [UInt8]>.prefix(userID), in: transaction)
        guard keys.count > Self.mostDevices.kept + Self.mostDevices.surplus else { return }
        var devices: [(key: KeyPair<String, [UInt8]>, record: KnownDeviceRecord)] = []
        for key in keys {
            if let record = try Tables.knownDevices.get(key, in: transaction) { devices.append((key, record)) }
        }
        devices.sort {
            if $0.record.kind != $1.record.kind { return $0.record.kind == .name }
            return $0.record.expiresAt < $1.record.expiresAt
        }
        for device in devices.dropLast(Self.mostDevices.kept) {
            try Tables.knownDevices.delete(device.key, in: transaction)
        }
    }

    /// - Parameter kept: the digest of the one device that stays known.
    func forgetDevices(
        of userID: String, except kept: [UInt8]? = nil, in transaction: borrowing WriteTransaction
    ) throws {
        let prefix = KeyPair<String, [UInt8]>.prefix(userID)
        for key in try Tables.knownDevices.keys(prefix: prefix, in: transaction) where key.second != kept {
            try Tables.knownDevices.delete(key, in: transaction)
        }
    }
}
