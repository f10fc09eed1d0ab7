internal import Core
internal import LMDB

/// A row that the sweeper will look at.
enum Sweepable: Equatable {
    case apiKey(String)
    case session(String)
    /// The rest by their digests in hexadecimal.
    case sessionSecret(String)
    case refreshToken(String)
    case link(String)
    case lockout(String)
    case logoutToken(String)
    /// User id and digest.
    case knownDevice(String, String)

    var text: String {
        switch self {
        case .apiKey(let id): "api_key:" + id
        case .session(let id): "session:" + id
        case .sessionSecret(let digest): "session_secret:" + digest
        case .refreshToken(let digest): "refresh_token:" + digest
        case .link(let digest): "link:" + digest
        case .lockout(let digest): "lockout:" + digest
        case .logoutToken(let digest): "logout_token:" + digest
        case .knownDevice(let user, let digest): "known_device:" + user + ":" + digest
        }
    }

    init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let id = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "api_key": self = .apiKey(id)
        case "session": self = .session(id)
        case "session_secret": self = .sessionSecret(id)
        case "refresh_token": self = .refreshToken(id)
        case "link": self = .link(id)
        case "lockout": self = .lockout(id)
        case "logout_token": self = .logoutToken(id)
        case "known_device":
            guard let colon = id.firstIndex(of: ":") else { return nil }
            self = .knownDevice(String(id[..<colon]), String(id[id.index(after: colon)...]))
        default: return nil
        }
    }
}

extension Store {
    /// Notes when a row can be freed. A row may be noted more than once: the sweeper asks the record itself.
    func scheduleSweep(_ row: Sweepable, at time: Timestamp, in transaction: borrowing WriteTransaction) throws {
        let key = KeyPair(UInt64(clamping: time.milliseconds), row.text)
        try Tables.expiries.put(EmptyRecord(), for: key, in: transaction)
    }

    /// Frees rows of credentials that ended long ago; nothing is decided by it, expiry is compared at each use.
    ///
    /// - Returns: how many notes were dealt with, at most 1,000: call again until it is 0.
    public func sweep() throws(AccountsError) -> Int {
        let now = clock.now()
        let due = try read { transaction in
            var due: [KeyPair<UInt64, String>] = []
            try Tables.expiries.forEach(in: transaction) { key, _, _ in
                guard key.first <= UInt64(clamping: now.milliseconds) else { return false }
                due.append(key)
                return due.count < Self.batchSize
            }
            return due
        }
        guard !due.isEmpty else { return 0 }
        let keys = due
        try write { transaction in
            for key in keys {
                // Another process may have swept it in the meantime.
                guard try Tables.expiries.delete(key, in: transaction), let row = Sweepable(key.second) else {
                    continue
                }
                do {
                    try self.free(row, now: now, in: transaction)
                } catch is DecodingError {
                    // One row that is damaged keeps no other from being freed; `store check` finds it.
                    continue
                }
            }
        }
        return keys.count
    }

    private func free(_ row: Sweepable, now: Timestamp, in transaction: borrowing WriteTransaction) throws {
        switch row {
        case .apiKey(let id):
            guard let (record, digest) = try findKey(id, in: transaction) else { return }
            guard record.freeAt <= now else { return try scheduleSweep(row, at: record.freeAt, in: transaction) }
            try Tables.apiKeys.delete(digest, in: transaction)
            try Tables.apiKeysByID.delete(id, in: transaction)
            try Tables.apiKeysByUser.delete(KeyPair(record.userID, id), in: transaction)
            try Tables.lastUses.delete(id, in: transaction)
        case .session(let id):
            guard let record = try Tables.sessions.get(id, in: transaction) else { return }
            guard record.freeAt <= now else { return try scheduleSweep(row, at: record.freeAt, in: transaction) }
            try removeSession(record, in: transaction)
        case .sessionSecret(let text):
            guard let digest = Hexadecimal.decode(text),
                let end = try Tables.sessionSecrets.get(digest, in: transaction)?.endsAt
            else { return }
            guard end <= now else { return try scheduleSweep(row, at: end, in: transaction) }
            try Tables.sessionSecrets.delete(digest, in: transaction)
        case .refreshToken(let text):
            guard let digest = Hexadecimal.decode(text),
                let record = try Tables.refreshTokens.get(digest, in: transaction)
            else { return }
            guard record.expiresAt <= now else { return try scheduleSweep(row, at: record.expiresAt, in: transaction) }
            try Tables.refreshTokens.delete(digest, in: transaction)
        case .link(let text):
            guard let digest = Hexadecimal.decode(text),
                let record = try Tables.oneTimeLinks.get(digest, in: transaction)
            else { return }
            guard record.expiresAt <= now else { return try scheduleSweep(row, at: record.expiresAt, in: transaction) }
            try removeLink(record, digest: digest, in: transaction)
        case .lockout(let text):
            guard let digest = Hexadecimal.decode(text),
                let record = try Tables.lockouts.get(digest, in: transaction)
            else { return }
            guard record.freeAt <= now else { return try scheduleSweep(row, at: record.freeAt, in: transaction) }
            try Tables.lockouts.delete(digest, in: transaction)
        case .logoutToken(let text):
            guard let key = Hexadecimal.decode(text),
                let record = try Tables.logoutTokens.get(key, in: transaction)
            else { return }
            guard record.goodUntil <= now else { return try scheduleSweep(row, at: record.goodUntil, in: transaction) }
            try Tables.logoutTokens.delete(key, in: transaction)
        case .knownDevice(let user, let text):
            guard let digest = Hexadecimal.decode(text),
                let record = try Tables.knownDevices.get(KeyPair(user, digest), in: transaction)
            else { return }
            guard record.expiresAt <= now else { return try scheduleSweep(row, at: record.expiresAt, in: transaction) }
            try Tables.knownDevices.delete(KeyPair(user, digest), in: transaction)
        }
    }

    func removeSession(_ record: SessionRecord, in transaction: borrowing WriteTransaction) throws {
        try removeSecrets(of: record, in: transaction)
        try Tables.sessions.delete(record.id, in: transaction)
        try Tables.sessionsByUser.delete(KeyPair(record.userID, record.id), in: transaction)
        try Tables.lastUses.delete(record.id, in: transaction)
        try Tables.providerTokens.delete(record.id, in: transaction)
        if let place = record.federated?.place {
            try Tables.sessionsByProvider.delete(KeyPair(place, record.id), in: transaction)
        }
    }
}
