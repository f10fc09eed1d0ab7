internal import Core
internal import JOSE
internal import LMDB

/// A copy of the keys of one purpose, renewed when the one row that every change of a key rewrites has another revision.
/// To read and open them costs more than all else that is done for a sign-in but the hash: whoever signs or verifies
/// often keeps one.
struct SigningKeyRing {
    let purpose: SigningPurpose
    private var records: [SigningKeyRecord] = []
    private(set) var publicKeys: [JWK] = []
    /// Of the row that tells of changes; nil when there never was a key.
    private(set) var revision: UInt64?
    private var transactionID: UInt64?
    private var signer: TokenSigner?

    init(_ purpose: SigningPurpose) {
        self.purpose = purpose
    }

    /// The keys as they are in `transaction`.
    init(_ purpose: SigningPurpose, store: Store, in transaction: borrowing ReadTransaction) throws {
        self.purpose = purpose
        try load(store, in: transaction)
    }

    /// - Parameter read: runs its argument on the newest view.
    mutating func refresh<Key: Hashable>(_ store: Store, _ reading: borrowing LoopReading<Key>) throws {
        guard transactionID != reading.lastTransactionID else { return }
        try reading.read { transaction in try refresh(store, in: transaction) }
    }

    /// Makes the keys those of `transaction`.
    mutating func refresh(_ store: Store, in transaction: borrowing ReadTransaction) throws {
        let newest = try Dependency.revision(of: .signingKeys, in: transaction)
        if transactionID == nil || newest != revision { try load(store, in: transaction) }
        transactionID = transaction.transactionID
    }

    /// The key that signs at `now`, opened with the master key when it becomes so.
    mutating func signer(_ store: Store, at now: Timestamp) throws -> TokenSigner {
        guard let current = SigningSchedule(records, now: now).current else {
            throw AccountsError(
                .refused, "There is no signing key yet: start the server, or make one with `gatehouse key rotate`.")
        }
        if let signer, signer.keyID == current.kid { return signer }
        let key = try current.open(with: try store.masterKeys())
        let made = try TokenSigner(key: key, keyID: current.kid, algorithm: .es256)
        signer = made
        return made
    }

    private mutating func load(_ store: Store, in transaction: borrowing ReadTransaction) throws {
        records = try store.keys(purpose, in: transaction)
        publicKeys = try records.map { record in
            try JWK(try record.openPublicKey(), algorithm: .es256, keyID: record.kid)
        }
        revision = try Dependency.revision(of: .signingKeys, in: transaction)
        // A retired key must not be found by its name again.
        signer = nil
    }
}

extension Store {
    /// `/.auth/jwks.json`: the public halves of all assertion keys, the next one's too.
    public func publicKeySet() throws(AccountsError) -> [UInt8] {
        try read { transaction in
            let ring = try SigningKeyRing(.assertion, store: self, in: transaction)
            return JWKSet(ring.publicKeys).render()
        }
    }
}
