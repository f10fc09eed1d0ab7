internal import Core

/// What a user name may look like: an e-mail address, or 1 to 64 of `A-Z a-z 0-9 . _ @ + -`. No colon: names of
/// foreign issuers are prefixed with one, so they never meet a local name.
enum UserName {
    static func validated(_ text: String) throws(AccountsError) -> String {
        if EmailAddress(text) != nil { return text }
        let allowed = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: "._@+-".utf8.contains(byte)
            }
        }
        guard allowed, (1...64).contains(text.utf8.count) else {
            throw AccountsError(
                .invalid, "\(quoted(text)) is no user name: use an e-mail address or 1 to 64 of A-Z a-z 0-9 . _ @ + -")
        }
        return text
    }

    /// What two spellings of one name share. Names are ASCII, and only ASCII's letters are folded: an issuer's or a
    /// stranger's word with the Kelvin sign, whose lower case is `k`, is nobody's name.
    static func folded(_ text: String) -> String {
        String(decoding: text.utf8.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}

extension GroupName {
    /// The most groups that one user may have.
    static let maximumCount = 256

    /// Sorted, without duplicates.
    ///
    /// - Parameter byOperator: whether `gatehouse-` groups may be given.
    static func validated(_ groups: [String], byOperator: Bool) throws(AccountsError) -> [String] {
        for group in groups {
            guard isValid(group) else {
                throw AccountsError(
                    .invalid, "\(quoted(group)) is no group name: use 1 to 64 of A-Z a-z 0-9 . _ : @ / -")
            }
            guard byOperator || !isReserved(group) else {
                throw AccountsError(.refused, "Only the operator gives the group \(quoted(group)).")
            }
        }
        let unique = Set(groups).sorted()
        guard unique.count <= maximumCount else {
            throw AccountsError(.invalid, "A user has at most \(maximumCount) groups.")
        }
        return unique
    }
}

/// A value in a message: bounded, and with nothing in it that is not seen.
func quoted(_ text: String) -> String {
    "\"\(VisibleText.masked(String(String.UnicodeScalarView(text.unicodeScalars.prefix(80)))))\""
}

/// A display name, or the name of a key, a passkey or a device: text that is all seen.
func validatedLabel(
    _ text: String, what: String, maximumBytes: Int = 128, _ problem: UserProblem? = nil
) throws(AccountsError) -> String {
    guard text.utf8.count <= maximumBytes, VisibleText.isAll(of: text) else {
        throw AccountsError(
            .invalid,
            "\(quoted(text)) is no \(what): use at most \(maximumBytes) bytes, without control and invisible characters.",
            problem)
    }
    return text
}
