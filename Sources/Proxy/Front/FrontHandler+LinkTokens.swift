import Core

/// The links of mails carry a secret in their path, which is good until it is used: neither the log nor what is kept of
/// a refusal has it.
extension FrontHandler {
    /// The pages that are followed by a link's secret.
    static let linkPages = ["reset-password", "verify-email", "magic-link", "unlock", "enrol-factor"]

    /// The path with what follows such a page left out, in whatever spelling it came: what is no page of ours for us may
    /// have become so on its way, and the secret is the same.
    static func withoutToken(_ path: String) -> String {
        guard mayBeOurs(path.utf8) else { return path }
        let segments = plain(path).split(separator: "/").map { $0.prefix { $0 != ";" } }
        var isOurs = false
        for (index, name) in segments.enumerated() where !name.isEmpty && name != "." {
            if isOurs, index + 1 < segments.count, let page = linkPages.first(where: { $0 == name }) {
                return "/.auth/\(page)/…"
            }
            isOurs = name == ".auth"
        }
        return path
    }

    /// Of most paths the answer is no.
    private static func mayBeOurs(_ bytes: String.UTF8View) -> Bool {
        var last: UInt8 = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: ";"), UInt8(ascii: "\\"): return true
            case UInt8(ascii: ".") where last == UInt8(ascii: "/"): return true
            default: last = byte
            }
        }
        return false
    }

    /// Escapes undone, also those of escapes, slashes one way round, in small letters.
    private static func plain(_ path: String) -> String {
        var bytes = Array(path.utf8)
        for _ in 0..<3 where bytes.contains(UInt8(ascii: "%")) { bytes = unescaped(bytes) }
        for index in bytes.indices where bytes[index] == UInt8(ascii: "\\") { bytes[index] = UInt8(ascii: "/") }
        return String(decoding: bytes, as: UTF8.self).lowercased()
    }

    private static func unescaped(_ bytes: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                rest.removeFirst(2)
                plain.append(value)
            } else {
                plain.append(byte)
            }
        }
        return plain
    }
}
