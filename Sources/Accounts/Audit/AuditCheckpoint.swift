internal import Core

/// A line to be kept elsewhere: it says how the log was, so that a later rewriting is found even by whoever has all
/// keys.
///
/// ```
///   gatehouse-audit-checkpoint 1 SEQUENCE HASH TIME KEYID HMAC
/// ```
struct AuditCheckpoint: Equatable {
    static let purpose = "gatehouse audit checkpoint"
    private static let word = "gatehouse-audit-checkpoint"

    var sequence: UInt64
    var hash: String
    var at: Timestamp

    func text(_ key: AuditKey?) throws -> String {
        let signed = "\(Self.word) 1 \(sequence) \(hash) \(at.rfc3339)"
        guard let key else { return signed + " - -" }
        return try signed + " \(key.id) " + key.code(Self.purpose, Array("\(signed) \(key.id)".utf8))
    }

    /// - Throws: `invalid` when it is no checkpoint, or one whose code is not genuine.
    static func parse(_ text: String, _ keys: AuditKeys) throws(AccountsError) -> AuditCheckpoint {
        let parts = text.split(whereSeparator: \.isWhitespace).map(String.init)
        guard parts.count == 7, parts[0] == word, parts[1] == "1", let sequence = UInt64(parts[2]),
            parts[3].utf8.count == 64, let at = Timestamp(rfc3339: parts[4])
        else {
            throw AccountsError(
                .invalid, "That is no checkpoint: give the line that `gatehouse audit checkpoint` printed.")
        }
        if parts[5] != "-", let key = keys.key(parts[5]) {
            let signed = parts[..<6].joined(separator: " ")
            guard key.verify(parts[6], purpose, Array(signed.utf8)) else {
                throw AccountsError(.invalid, "The checkpoint was changed: its code is not genuine.")
            }
        }
        return AuditCheckpoint(sequence: sequence, hash: parts[3], at: at)
    }
}
