internal import Core
internal import Cryptography
internal import LMDB

/// The one way on which a passkey's proof is checked, in the transaction of what it is for: of two with the same counter
/// at the same instant one wins.
struct PasskeyGate {
    struct Right: Sendable {
        let user: UserRecord
        let head: AuthenticatorData
    }

    let store: Store
    let policy: PasskeyPolicy

    /// - Parameters:
    ///   - challenge: whether it was ours and good; it is used up already.
    ///   - owner: whose it must be; nil: whoever it names itself.
    func judge(
        _ proof: PasskeyProof, challenge: Bool, owner: String?, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> Result<Right, PasskeyRefusal> {
        let digest = SHA256.digest(proof.credentialID).bytes
        guard let named = WebAuthnVerifier.challenge(in: proof.clientData) else { return .failure(.malformed) }
        guard challenge else { return .failure(.challenge) }
        guard var record = try Tables.passkeys.get(digest, in: transaction),
            let user = try Tables.users.get(record.userID, in: transaction),
            let publicKey = Base64.decode(record.publicKey)
        else { return .failure(.unknown) }
        if let owner, owner != user.id { return .failure(.otherUser) }
        // Where nobody was named before, the authenticator has to say whom it means (section 7.2 step 6).
        if owner == nil || proof.userHandle != nil, proof.userHandle != Array(user.id.utf8) {
            return .failure(.otherUser)
        }
        let head: AuthenticatorData
        do throws(PasskeyRefusal) {
            head = try WebAuthnVerifier(policy: policy).assertion(
                clientData: proof.clientData, authenticatorData: proof.authenticatorData, signature: proof.signature,
                challenge: named, algorithm: record.algorithm, publicKey: publicKey)
        } catch {
            return .failure(error)
        }
        // Many have no counter and always say 0.
        guard head.counter > record.counter || (head.counter == 0 && record.counter == 0) else {
            return .failure(.counter)
        }
        record.counter = head.counter
        record.backedUp = head.isBackedUp
        record.lastUsedAt = now
        try Tables.passkeys.put(record, for: digest, in: transaction)
        return .success(Right(user: user, head: head))
    }

    /// Writes a refusal down.
    func note(
        _ refusal: PasskeyRefusal, _ event: AuditEventType, user: UserRecord?, client: Client, session: String? = nil,
        at now: Timestamp, in transaction: borrowing WriteTransaction
    ) throws {
        try store.append(
            NewAuditEvent(
                event, success: false, reason: refusal.rawValue, user: user?.username, userID: user?.id,
                session: session, metadata: ["method": .string("passkey")]),
            by: client.actor(user?.username ?? "anonymous", session: session), at: now, in: transaction)
    }
}
