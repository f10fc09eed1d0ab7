internal import Core
internal import Cryptography
internal import LMDB

/// A person's own passkeys.
extension AccountOperations {
    /// Whether this site uses passkeys at all.
    public var passkeysAreEnabled: Bool { configuration.passkeys.isEnabled }

    /// The origins whose pages may use them.
    public var passkeyOrigins: [String] { configuration.passkeys.origins }

    func requirePasskeys() throws(AccountsError) {
        guard configuration.passkeys.isEnabled else {
            throw AccountsError(.refused, "Passkeys are not in use here.")
        }
    }

    /// What a browser is told to make a new passkey by; JSON.
    ///
    /// - Throws: `reauthenticationRequired`, `refused`.
    public func beginPasskey(_ principal: Principal) throws(AccountsError) -> [UInt8] {
        try requirePasskeys()
        let store = store
        let now = now
        let challenge = try store.passkeyChallenges.issue(
            .registration(session: principal.session), store.random, at: now)
        let configuration = configuration
        return try store.read { transaction in
            let (user, _) = try store.requireEnrolling(principal, at: now, in: transaction)
            let known = try store.passkeys(of: user.id, in: transaction).map(\.record)
            return PasskeyOptions.creation(
                challenge, for: user, excluding: known, site: configuration.siteName, configuration.passkeys)
        }
    }

    /// Adds a passkey. The session has proved what it is then.
    ///
    /// - Parameter givesCodes: whoever has no backup codes gets some.
    /// - Returns: the passkey, new cookies for a browser, and backup codes that are shown this once.
    /// - Throws: `invalid` for what cannot be verified; `exists`; `reauthenticationRequired`.
    public func addPasskey(
        _ principal: Principal, _ registration: PasskeyRegistration, name: String, givesCodes: Bool,
        from client: Client
    ) async throws(AccountsError) -> (passkey: Passkey, secrets: SessionSecrets?, backupCodes: [String]) {
        try requirePasskeys()
        let name = try Self.passkeyName(name)
        let store = store
        let now = now
        try limiter.take(.signIn, client: client, as: .factorAdded, by: principal.userID, configuration.limits, at: now)
        let gate = PasskeyGate(store: store, policy: configuration.passkeys)
        let made = verified(registration, for: principal, at: now)
        let new = NewPasskeyMaterials(
            id: try store.random.id("pk"), name: name, transports: registration.transports,
            secrets: try NewSessionSecrets(store.random),
            codes: givesCodes ? try BackupCodes.make(store.random, for: principal.userID) : nil)
        let outcome = try await store.writing {
            transaction -> Result<(Passkey, SessionSecrets?, [String]), AccountsError> in
            let (user, session) = try store.requireEnrolling(principal, at: now, in: transaction)
            switch made {
            case .failure(let refusal):
                try gate.note(
                    refusal, .factorAdded, user: user, client: client, session: session.id, at: now, in: transaction)
                return .failure(AccountsError(.invalid, "The passkey could not be verified."))
            case .success(let passkey):
                return .success(
                    try store.add(passkey, new, of: user, in: session, from: client, at: now, in: transaction))
            }
        }
        return try outcome.get()
    }

    private func verified(
        _ registration: PasskeyRegistration, for principal: Principal, at now: Timestamp
    ) -> Result<NewPasskey, PasskeyRefusal> {
        guard let challenge = WebAuthnVerifier.challenge(in: registration.clientData) else {
            return .failure(.malformed)
        }
        guard store.passkeyChallenges.take(challenge, .registration(session: principal.session), at: now) else {
            return .failure(.challenge)
        }
        do throws(PasskeyRefusal) {
            return .success(
                try WebAuthnVerifier(policy: configuration.passkeys).registration(
                    clientData: registration.clientData, attestation: registration.attestation, challenge: challenge))
        } catch {
            return .failure(error)
        }
    }

    /// Those of whoever asks, oldest first.
    public func passkeys(of principal: Principal) throws(AccountsError) -> [Passkey] {
        let store = store
        let now = now
        return try store.read { transaction in
            let (user, _) = try store.require(principal, at: now, in: transaction)
            return try store.passkeys(of: user.id, in: transaction).map { Passkey($0.record) }
        }
    }

    /// Gives a passkey another name. Needs no recent proof: it opens and protects nothing.
    ///
    /// - Throws: `notFound`, also for somebody else's; `invalid` for a name that is empty, long or no plain text;
    ///   `rateLimited`.
    public func renamePasskey(
        _ id: String, of principal: Principal, to name: String, from client: Client
    ) async throws(AccountsError) {
        let name = try Self.checked(
            name, what: "name", maximumBytes: 64, missing: .nameMissing, malformed: .nameMalformed)
        let store = store
        let now = now
        try takeChange(of: principal, as: .passkeyRenamed, from: client, at: now)
        try await store.writing { transaction in
            let (user, session) = try store.require(principal, at: now, in: transaction)
            var (digest, record) = try store.passkey(id, of: user, in: transaction)
            guard record.name != name else { return }
            let before = record.name
            record.name = name
            try Tables.passkeys.put(record, for: digest, in: transaction)
            try store.append(
                NewAuditEvent(
                    .passkeyRenamed, user: user.username, userID: user.id, session: session.id,
                    metadata: ["passkey": .string(id), "from": .string(before), "to": .string(name)]),
                by: client.actor(user.username, session: session.id), at: now, in: transaction)
        }
    }

    /// - Throws: `notFound`, also for somebody else's; `reauthenticationRequired`; `refused` when it is the last factor
    ///   and the operator wants one.
    public func removePasskey(_ id: String, of principal: Principal, from client: Client) async throws(AccountsError) {
        let store = store
        let now = now
        let configuration = configuration
        try await store.writing { transaction in
            let (user, session) = try store.requireRecentProof(principal, at: now, in: transaction)
            let (digest, _) = try store.passkey(id, of: user, in: transaction)
            let standing = try store.factorStanding(of: user.id, in: transaction)
            if configuration.secondFactorIsRequired, !standing.totp, standing.passkeys == 1 {
                throw AccountsError(
                    .refused, "A second factor is required here: set up another one first.", .factorRequired)
            }
            guard try store.waysToSignIn(of: user, configuration, withoutPasskeys: 1, in: transaction) > 0 else {
                throw AccountsError(
                    .refused, "This is the last way to sign in to your account: set a password or link another first.",
                    .lastWay)
            }
            try Tables.passkeys.delete(digest, in: transaction)
            try Tables.passkeysByUser.delete(KeyPair(user.id, digest), in: transaction)
            try store.factorGone("passkey", of: user, from: client, session: session.id, at: now, in: transaction)
        }
    }

    private static func passkeyName(_ text: String) throws(AccountsError) -> String {
        guard !text.isEmpty else { return "Passkey" }
        return try checked(text, what: "name", maximumBytes: 64, missing: .nameMissing, malformed: .nameMalformed)
    }
}

/// What is made for a new passkey outside of its transaction.
struct NewPasskeyMaterials: Sendable {
    let id: String
    let name: String
    let transports: [String]
    let secrets: NewSessionSecrets
    let codes: BackupCodeSet?
}

extension Store {
    /// - Throws: `notFound`.
    func passkey(
        _ id: String, of user: UserRecord, in transaction: borrowing some ReadableTransaction & ~Copyable
    ) throws -> (digest: [UInt8], record: PasskeyRecord) {
        guard let found = try passkeys(of: user.id, in: transaction).first(where: { $0.record.id == id }) else {
            throw AccountsError(.notFound, "There is no such passkey of yours.")
        }
        return found
    }

    func add(
        _ new: NewPasskey, _ materials: NewPasskeyMaterials, of user: UserRecord, in session: SessionRecord,
        from client: Client, at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws -> (Passkey, SessionSecrets?, [String]) {
        var session = session
        let digest = SHA256.digest(new.credentialID).bytes
        guard try passkeys(of: user.id, in: transaction).count < Self.mostPasskeys else {
            throw AccountsError(
                .refused, "There are \(Self.mostPasskeys) passkeys already: remove one first.", .tooManyPasskeys)
        }
        let record = PasskeyRecord(
            id: materials.id, userID: user.id, credentialID: Base64URL.encode(new.credentialID),
            algorithm: new.algorithm, publicKey: Base64.encode(new.publicKey), counter: new.head.counter,
            name: materials.name, createdAt: now, backedUp: new.head.isBackedUp, transports: materials.transports,
            attestation: new.format)
        guard try Tables.passkeys.insert(record, for: digest, in: transaction) else {
            throw AccountsError(.exists, "This passkey is registered already.")
        }
        try Tables.passkeysByUser.put(EmptyRecord(), for: KeyPair(user.id, digest), in: transaction)
        try noteEnrolled(user, at: now, in: transaction)
        let shown = try giveBackupCodes(materials.codes, to: user, at: now, in: transaction)
        try append(
            NewAuditEvent(
                .factorAdded, user: user.username, userID: user.id, session: session.id,
                metadata: [
                    "factor": .string("passkey"), "passkey": .string(record.id), "attestation": .string(new.format),
                ]),
            by: client.actor(user.username, session: session.id), at: now, in: transaction)
        try mail(.factorAdded(.passkey, client.occasion(at: now)), to: user, client, at: now, in: transaction)
        session.prove(Proof(amr: session.amr, factors: session.factors).withPasskey(new.head), at: now)
        return (Passkey(record), try raise(&session, materials.secrets, at: now, in: transaction), shown)
    }
}
