internal import Core
internal import LMDB

/// A passkey that comes as second factor together with the first proof, from a program. Its challenge is used up by now.
struct PresentedPasskey: Sendable {
    let proof: PasskeyProof
    let head: AuthenticatorData
    /// Its challenge was ours and good.
    let isGood: Bool
}

extension AccountOperations {
    /// - Parameter passkey: as it came beside the first proof; nil: none came.
    /// - Throws: `invalidCredentials` for what no authenticator says, `refused` where there are no passkeys, `invalid`
    ///   beside a code: which of them counts would be a guess.
    func presented(
        _ passkey: PasskeyProof?, besides code: String?, at now: Timestamp
    ) throws(AccountsError) -> PresentedPasskey? {
        guard let passkey else { return nil }
        guard code == nil else {
            throw AccountsError(.invalid, "Give either a code or a passkey as the second factor.")
        }
        try requirePasskeys()
        guard let head = AuthenticatorData(passkey.authenticatorData) else { throw AccountsError.invalidCredentials }
        return PresentedPasskey(proof: passkey, head: head, isGood: takes(passkey, .signIn, at: now))
    }
}

extension Store {
    /// Holds a passkey against the account whose first proof is right. An API client gives both at once, and is told no
    /// more than that one of them was wrong.
    ///
    /// - Parameter signIn: its proof has the passkey afterwards.
    /// - Returns: why the sign-in is not complete; nil: as far as the passkey goes, it is.
    func judge(
        _ passkey: PresentedPasskey, _ signIn: inout CompleteSignIn, of user: UserRecord, at now: Timestamp,
        in transaction: borrowing WriteTransaction
    ) throws -> AccountsError? {
        let gate = PasskeyGate(store: self, policy: signIn.configuration.passkeys)
        switch try gate.judge(passkey.proof, challenge: passkey.isGood, owner: user.id, at: now, in: transaction) {
        case .failure(let refusal):
            try gate.note(refusal, .signIn, user: user, client: signIn.client, at: now, in: transaction)
            return .invalidCredentials
        case .success(let right):
            signIn.proof = signIn.proof.withPasskey(right.head)
            return nil
        }
    }
}
