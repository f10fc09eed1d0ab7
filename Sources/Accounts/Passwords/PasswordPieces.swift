/// A password as somebody sees it who tries what others use: of how many pieces it is made. A word, a run, a
/// repetition and a few digits are one piece each, whatever else is one a character. What only joins them is none.
///
/// ```
///   P@ssw0rd2024!      → password · 2024                  2
///   qwertz123456       → a run beside a run               1
///   new-password-123   → new · password · 123             3
///   MaryMajor2026      → one's own name · 2026            2
/// ```
struct PasswordPieces {
    private(set) var count = 0
    /// One of the words is the user's or ours.
    private(set) var usesOwnWords = false

    /// What a piece is; of some kinds several side by side are no more than one.
    private enum Kind {
        /// Of those that everybody uses.
        case word
        case ownWord
        /// In the alphabet, on a keyboard, or of one character.
        case run
        case digits
        case other
    }

    /// Digits beside something else, as in a year or a day.
    private static let fewDigits = 4
    /// Signs that stand between or behind words.
    private static let fewSigns = 3
    /// Fewer characters than this, typed again and again, are one piece.
    private static let shortUnit = 4

    /// - Parameter own: words that count as one although nobody else would try them.
    init(_ password: String, own: [String]) {
        let plain = Array(password.lowercased())
        let (unit, isRepeated) = Self.unit(of: plain)
        guard !isRepeated || unit.count >= Self.shortUnit else {
            count = 1
            return
        }
        let folded = unit.map(Self.folded)
        let ownWords = own.map { Array($0.lowercased()).map(Self.folded) }
        var position = 0
        var before: Kind?
        while position < unit.count {
            let signs = Self.signs(unit[position...])
            let (kind, length) = Self.piece(unit[position...], folded[position...], ownWords)
            if signs > 0, signs <= Self.fewSigns, length <= signs {
                position += signs
                continue
            }
            if kind == .ownWord { usesOwnWords = true }
            let isMore = kind == before && (kind == .ownWord || kind == .run)
            if !isMore { count += 1 }
            before = kind
            position += length
        }
    }

    private static func piece(
        _ text: ArraySlice<Character>, _ folded: ArraySlice<Character>, _ ownWords: [[Character]]
    ) -> (kind: Kind, length: Int) {
        let candidates: [(kind: Kind, length: Int)] = [
            (.ownWord, longestWord(ownWords, folded)), (.word, longestWord(CommonWords.folded, folded)),
            (.run, max(run(text), repetition(text))), (.digits, digits(text)),
        ]
        var best = (kind: Kind.other, length: 0)
        for candidate in candidates where candidate.length > best.length { best = candidate }
        return best.length == 0 ? (.other, 1) : best
    }

    /// The shortest beginning of which the whole is a repetition.
    private static func unit(of characters: [Character]) -> (unit: ArraySlice<Character>, isRepeated: Bool) {
        for length in stride(from: 1, through: characters.count / 2, by: 1) where characters.count % length == 0 {
            if zip(characters, characters.dropFirst(length)).allSatisfy({ $0 == $1 }) {
                return (characters[..<length], true)
            }
        }
        return (characters[...], false)
    }

    /// What people write in a letter's place is that letter, for comparing with words.
    static func folded(_ character: Character) -> Character {
        switch character {
        case "0": "o"
        case "1", "!", "|", "l": "i"
        case "3", "€": "e"
        case "4", "@": "a"
        case "5", "$": "s"
        case "7", "+": "t"
        case "8": "b"
        case "9": "g"
        default: character
        }
    }

    private static func longestWord(_ words: [[Character]], _ text: ArraySlice<Character>) -> Int {
        words.lazy.filter { text.starts(with: $0) }.map(\.count).max() ?? 0
    }

    /// The length of a run in the alphabet or on a keyboard, forwards or backwards; nothing below three.
    private static func run(_ text: ArraySlice<Character>) -> Int {
        var longest = 0
        for row in CommonWords.rows {
            for (index, character) in row.enumerated() where character == text.first {
                for step in [1, -1] {
                    var place = index
                    var length = 0
                    for next in text {
                        guard row.indices.contains(place), row[place] == next else { break }
                        length += 1
                        place += step
                    }
                    longest = max(longest, length)
                }
            }
        }
        return longest >= 3 ? longest : 0
    }

    private static func repetition(_ text: ArraySlice<Character>) -> Int {
        let length = text.prefix { $0 == text.first }.count
        return length >= 3 ? length : 0
    }

    /// So many signs and blanks are here, none of them a letter or a digit.
    private static func signs(_ text: ArraySlice<Character>) -> Int {
        text.prefix { $0.isWhitespace || $0.isPunctuation || $0.isASCII && !$0.isLetter && !$0.isNumber }.count
    }

    /// The length of a few digits; nothing for more of them, which may be as random as letters.
    private static func digits(_ text: ArraySlice<Character>) -> Int {
        let length = text.prefix { $0.isASCII && $0.isNumber }.count
        return length <= fewDigits ? length : 0
    }
}

/// What people begin with when a machine asks for a password, in the languages that the pages speak.
enum CommonWords {
    static let folded: [[Character]] = words.split(separator: " ").map { Array($0).map(PasswordPieces.folded) }

    static let rows: [[Character]] = [
        "abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiopü",
        "asdfghjklöä", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn", "1qaz", "2wsx", "3edc", "4rfv", "qaz", "wsx",
        "edc", "1q2w3e4r5t6z7u", "1q2w3e4r5t6y7u",
        "!@#$%^&*()_+", "!\"§$%&/()=?",
    ].map(Array.init)

    private static let words = """
        password passwort passwd pass kennwort passphrase secret geheim login signin anmelden welcome willkommen hello \
        hallo letmein access zugang open sesame admin administrator root master superuser user benutzer guest gast test \
        testing tester demo sample example beispiel default standard change changeme aendern temp temporary please bitte \
        my mein the der die das and und is ist for new neu iloveyou iloveu ichliebedich love liebe lover schatz sweetheart \
        baby angel engel princess prinzessin prince queen king koenig god gott jesus maria heaven himmel devil teufel \
        monkey affe dragon drache tiger lion loewe bear baer wolf eagle adler horse pferd cat katze kitty dog hund panda \
        unicorn einhorn shadow schatten sunshine sonnenschein sun sonne moon mond star stern flower blume summer sommer \
        winter spring fruehling frühling autumn herbst january januar february februar march maerz märz april may mai june \
        juni july juli august september october oktober november december dezember monday montag tuesday dienstag \
        wednesday mittwoch thursday donnerstag friday freitag saturday samstag sunday sonntag football fussball fußball \
        soccer baseball basketball hockey tennis batman superman spiderman starwars pokemon matrix ninja pirate computer \
        internet google facebook windows linux server office buero büro company firma work arbeit home zuhause family \
        familie mother mutter father vater michael thomas andreas daniel jessica michelle ashley charlie george peter \
        stefan martin anna julia laura germany deutschland berlin hamburg muenchen münchen london america amerika europe \
        freedom freiheit money geld lucky glueck glück happy forever fuckyou shit whatever trustno one ok abc xyz
        """
}
