internal import Core
internal import Cryptography
internal import LMDB

/// The codes for a lost authenticator: ten, each good once. Like `k7qd-2mxa-v4ph-zo3c`: 16 characters of base 32.
enum BackupCodes {
    static let count = 10
    /// A mail warns when so many or fewer are left.
    static let few = 3
    private static let byteCount = 10
    private static let characterCount = 16

    /// New codes and what is kept of them.
    static func make(_ random: any RandomSource, for userID: String) throws(AccountsError) -> BackupCodeSet {
        var set = BackupCodeSet()
        for _ in 0..<count {
            let bytes: [UInt8]
            do {
                bytes = try random.bytes(byteCount)
            } catch {
                throw AccountsError(.store, "The system gave no random bytes.", cause: error)
            }
            let text = Base32.encode(bytes).lowercased()
            set.codes.append(shown(text))
            set.digests.append(digest(text, of: userID))
        }
        return set
    }

    private static func shown(_ text: String) -> String {
        var groups: [Substring] = []
        var rest = text[...]
        while !rest.isEmpty {
            groups.append(rest.prefix(4))
            rest = rest.dropFirst(4)
        }
        return groups.joined(separator: "-")
    }

    /// - Parameter text: without anything between its characters, in any case.
    /// - Returns: nil when it is no backup code by its form.
    static func digest(presented text: String, of userID: String) -> String? {
        guard text.utf8.count == characterCount, Base32.decode(text)?.count == byteCount else { return nil }
        return digest(text.lowercased(), of: userID)
    }

    private static func digest(_ text: String, of userID: String) -> String {
        Hexadecimal.encode(SHA256.digest("backup code \(userID) \(text)").bytes)
    }
}

/// Codes that were just made: the only time that their text is there.
struct BackupCodeSet: Sendable {
    var codes: [String] = []
    var digests: [String] = []
}
