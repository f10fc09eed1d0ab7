internal import Core

/// Textual encoding (RFC 7468) of exactly one block. Read here and not by libcrypto, which would ask the terminal for a
/// pass phrase.
enum PEM {
    static let publicKey = "PUBLIC KEY"
    static let privateKey = "PRIVATE KEY"

    static func encode(_ der: [UInt8], label: String) -> String {
        var text = "-----BEGIN \(label)-----\n"
        var rest = Base64.encode(der)[...]
        while !rest.isEmpty {
            text += rest.prefix(64) + "\n"
            rest = rest.dropFirst(64)
        }
        return text + "-----END \(label)-----\n"
    }

    /// Text before and after the block is allowed, a second block is not.
    static func decode(_ text: String, label: String) -> [UInt8]? {
        let lines = text.split(whereSeparator: \.isNewline)
        let markers = lines.filter { $0.hasPrefix("-----BEGIN ") || $0.hasPrefix("-----END ") }
        guard markers == ["-----BEGIN \(label)-----", "-----END \(label)-----"],
            let begin = lines.firstIndex(of: markers[0]), let end = lines.firstIndex(of: markers[1]), begin < end
        else { return nil }
        let body = lines[(begin + 1)..<end].joined().filter { !$0.isWhitespace }
        guard body.utf8.count % 4 == 0 else { return nil }
        return Base64.decode(body)
    }
}
