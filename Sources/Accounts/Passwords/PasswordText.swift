internal import Core
// The standard library normalises text to compare it and has no public call for it yet; FoundationEssentials has none
// either. A test holds this against the vectors of Unicode.
@_spi(_Unicode) internal import Swift

/// A password as it is hashed: Unicode text in normalisation form C (NIST SP 800-63B section 3.1.1.2), so that it does
/// not matter which keyboard composed an é. White space at its ends belongs to it.
struct PasswordText {
    /// A longer one is refused before anything is done with it.
    static let maximumBytes = 1024

    /// Why something is no password.
    enum Flaw: Error {
        case tooLong, notText, controlCharacter
    }

    let characters: String
    let typed: SecretBytes

    /// - Parameter typed: UTF-8 as it was typed.
    init(_ typed: SecretBytes) throws(Flaw) {
        self.typed = typed
        guard typed.count <= Self.maximumBytes else { throw .tooLong }
        guard let text = typed.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else { throw .notText }
        // A zero byte ends the text for crypt, and no keyboard makes the others.
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw .controlCharacter
        }
        if text.utf8.allSatisfy({ $0 < 0x80 }) {
            characters = text
        } else {
            var composed = String.UnicodeScalarView()
            for scalar in text._nfc { composed.append(scalar) }
            characters = String(composed)
        }
    }

    var bytes: SecretBytes { SecretBytes(copying: Array(characters.utf8)) }

    /// Systems that do not normalise hashed other bytes than ``bytes``.
    var differsFromTyped: Bool { typed.withUnsafeBytes { !$0.elementsEqual(characters.utf8) } }
}
