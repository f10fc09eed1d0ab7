import Yams

/// Composes YAML although a map has a key twice.
///
/// The composer stops at the first such map and names only the first of the two. So that all problems can be shown at
/// once, each with its place, the key that it names gets another first character and composing starts again; the
/// reader puts the character back and finds the repetition itself.
enum DuplicateKeys {
    struct Position: Hashable {
        var line: Int
        var column: Int
    }

    struct Composed {
        let parser: Parser
        let root: Node?
        /// The first characters of renamed keys, by the place of the key.
        let renamed: [Position: Unicode.Scalar]
    }

    /// How many repeated keys are looked for; more than that is reported by the first that is left.
    private static let maximum = 64

    static func compose(_ text: String) throws -> Composed {
        var scalars = Array(text.unicodeScalars)
        var renamed: [Position: Unicode.Scalar] = [:]
        while true {
            var current = String(String.UnicodeScalarView(scalars))
            // The parser keeps a pointer to the text, which only a text too long to be stored inline has.
            if current.utf8.count < 32 { current += String(repeating: "\n", count: 32) }
            let parser = try Parser(yaml: current, resolver: .basic, constructor: .default, encoding: .utf8)
            do {
                return Composed(parser: parser, root: try parser.singleRoot(), renamed: renamed)
            } catch YamlError.duplicatedKeysInMapping(let duplicates, let context) {
                let position = Position(line: context.mark.line, column: context.mark.column)
                guard renamed.count < maximum, renamed[position] == nil, let start = index(of: position, in: scalars),
                    let substitute = Unicode.Scalar(0xe000 + UInt32(renamed.count))
                else { throw YamlError.duplicatedKeysInMapping(duplicates: duplicates, context: context) }
                let isQuoted = scalars[start] == "\"" || scalars[start] == "'"
                let target = isQuoted ? start + 1 : start
                guard target < scalars.count, isOrdinary(scalars[target]) else {
                    throw YamlError.duplicatedKeysInMapping(duplicates: duplicates, context: context)
                }
                renamed[position] = scalars[target]
                scalars[target] = substitute
            }
        }
    }

    /// A character that stands for itself wherever it is in a key.
    private static func isOrdinary(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "/" || scalar == "_"
    }

    private static func index(of position: Position, in scalars: [Unicode.Scalar]) -> Int? {
        var line = 1
        var index = 0
        while line < position.line, index < scalars.count {
            switch scalars[index] {
            case "\r":
                if index + 1 < scalars.count, scalars[index + 1] == "\n" { index += 1 }
                line += 1
            case "\n", "\u{85}", "\u{2028}", "\u{2029}": line += 1
            default: break
            }
            index += 1
        }
        let (result, overflow) = index.addingReportingOverflow(position.column - 1)
        guard line == position.line, !overflow, result >= 0, result < scalars.count else { return nil }
        return result
    }
}
