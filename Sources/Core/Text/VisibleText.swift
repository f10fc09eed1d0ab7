/// Names that strangers choose and others read and believe: of keys, devices, passkeys, people. Unicode has characters
/// that are not seen, or change the order in which the rest is seen (UTR 36 section 2.9, UTS 39 section 3): by them a
/// name reads like another one, or like our own words beside it.
///
/// Not seen are controls, format characters (the bidirectional ones, zero-width spaces, soft hyphens, tags), separators
/// of lines, fillers, and what stands for no character. Where scripts and pictures need some of them, they are taken:
/// joiners within a word that is not of Latin, Greek or Cyrillic letters, and between pictures; the sign that makes a
/// character a picture behind one.
public enum VisibleText {
    /// All of it is seen, as it stands.
    public static func isAll(of text: String) -> Bool {
        let scalars = text.unicodeScalars
        return scalars.indices.allSatisfy { isSeen(scalars, at: $0) }
    }

    /// What is seen of a text.
    public static func stripped(_ text: String) -> String {
        rewritten(text, hidden: nil)
    }

    /// The text with a question mark for each character that is not seen.
    public static func masked(_ text: String) -> String {
        rewritten(text, hidden: "?")
    }

    private static func rewritten(_ text: String, hidden: Unicode.Scalar?) -> String {
        let scalars = text.unicodeScalars
        guard !isAll(of: text) else { return text }
        var result = String.UnicodeScalarView()
        for index in scalars.indices {
            if isSeen(scalars, at: index) {
                result.append(scalars[index])
            } else if let hidden {
                result.append(hidden)
            }
        }
        return String(result)
    }

    private static func isSeen(_ scalars: String.UnicodeScalarView, at index: String.Index) -> Bool {
        let scalar = scalars[index]
        if (0x20..<0x7f).contains(scalar.value) { return true }
        switch scalar.value {
        case 0x200c, 0x200d:
            let next = scalars.index(after: index)
            guard let before = base(scalars, before: index), next < scalars.endIndex else { return false }
            return isJoined(before) && isJoined(scalars[next])
        case 0xfe0e, 0xfe0f:
            guard let before = base(scalars, before: index) else { return false }
            return before.value > 0x7f && before.properties.isEmoji
        // The empty pattern of Braille.
        case 0x2800: return false
        default: break
        }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate: return false
        default: return !properties.isDefaultIgnorableCodePoint && !properties.isNoncharacterCodePoint
        }
    }

    /// What stands before, without the signs that make it a picture or give it a colour.
    private static func base(_ scalars: String.UnicodeScalarView, before index: String.Index) -> Unicode.Scalar? {
        var index = index
        while index > scalars.startIndex {
            index = scalars.index(before: index)
            let scalar = scalars[index]
            guard scalar.value == 0xfe0f || scalar.properties.isEmojiModifier else { return scalar }
        }
        return nil
    }

    /// Stands beside a joiner in proper text: a letter or mark of a script that has any use for one, or a picture.
    private static func isJoined(_ scalar: Unicode.Scalar) -> Bool {
        // From Hebrew on: before that are Latin, Greek, Cyrillic and Armenian, and the marks that go with them.
        let value = scalar.value
        guard value >= 0x590, !(0x1d00...0x1fff).contains(value), !(0xff00...0xffef).contains(value) else {
            return false
        }
        let properties = scalar.properties
        return properties.isEmoji || properties.isAlphabetic || properties.generalCategory == .nonspacingMark
    }
}
