internal import Core
internal import Cryptography

/// Where ids and secrets come from. Only tests have another one than ``SystemRandom``.
public protocol RandomSource: Sendable {
    /// - Returns: `count` bytes that nobody can guess.
    func bytes(_ count: Int) throws -> [UInt8]
}

/// The operating system's cryptographic generator.
public struct SystemRandom: RandomSource {
    /// Has no state.
    public init() {}

    public func bytes(_ count: Int) throws -> [UInt8] {
        try SecureRandom.bytes(count)
    }
}

extension RandomSource {
    /// Characters of ``Core/Base62``, each equally likely: bytes from 248 on are drawn again, since 256 is no multiple
    /// of 62.
    func base62(_ count: Int) throws(AccountsError) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var rounds = 0
        while result.count < count {
            rounds += 1
            guard rounds <= 64 else { throw AccountsError(.store, "The random generator repeats itself.") }
            let drawn: [UInt8]
            do {
                drawn = try bytes(count + 16)
            } catch {
                throw AccountsError(.store, "The system gave no random bytes.", cause: error)
            }
            for byte in drawn where byte < 248 && result.count < count {
                result.append(Base62.alphabet[Int(byte % 62)])
            }
        }
        return result
    }

    /// A random id of 131 bits behind a word that tells a reader what it names.
    func id(_ kind: String) throws(AccountsError) -> String {
        kind + "_" + String(decoding: try base62(22), as: UTF8.self)
    }
}
