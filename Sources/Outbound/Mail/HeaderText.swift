internal import Core

/// Text in a header: as it is where it is ASCII and short, else as encoded words (RFC 2047), folded.
enum HeaderText {
    /// How long a line may be, without its end.
    private static let lineLength = 76
    /// `=?utf-8?B?` and `?=`.
    private static let frame = 12

    /// - Parameter column: where on its line the text begins.
    static func encoded(_ text: String, after column: Int) -> String {
        let isPlain = text.utf8.allSatisfy { (0x20...0x7e).contains($0) } && !text.contains("=?")
        return isPlain && column + text.utf8.count <= lineLength ? text : words(text, after: column)
    }

    /// Encoded words whatever the text is. No character is split between two of them.
    static func words(_ text: String, after column: Int) -> String {
        var lines: [String] = []
        var current: [UInt8] = []
        var room = (lineLength - column - frame) / 4 * 3
        for character in text.unicodeScalars {
            let bytes = Array(String(character).utf8)
            if current.count + bytes.count > room, !current.isEmpty {
                lines.append("=?utf-8?B?\(Base64.encode(current))?=")
                current = []
                room = (lineLength - 1 - frame) / 4 * 3
            }
            current += bytes
        }
        lines.append("=?utf-8?B?\(Base64.encode(current))?=")
        return lines.joined(separator: "\r\n ")
    }
}

/// Quoted-printable (RFC 2045 section 6.7): ASCII text stays readable, everything else survives servers that know seven
/// bits and 78 columns.
enum QuotedPrintable {
    private static let lineLength = 76
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// Lines may end with LF or CRLF; they end with CRLF afterwards.
    static func encoded(_ text: String) -> String {
        var result: [UInt8] = []
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            if index > 0 { result += [0x0d, 0x0a] }
            append(line.last == 0x0d ? line.dropLast() : line, to: &result)
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func append(_ line: Substring.UTF8View, to result: inout [UInt8]) {
        var column = 0
        for (index, byte) in zip(line.indices, line) {
            let isLast = line.index(after: index) == line.endIndex
            let isBlank = byte == 0x20 || byte == 0x09
            let isPlain = (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "=") || isBlank && !isLast
            let piece =
                isPlain ? [byte] : [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            // One column stays for the `=` that says that the line goes on.
            if column + piece.count > lineLength - 1 {
                result += [UInt8(ascii: "="), 0x0d, 0x0a]
                column = 0
            }
            result += piece
            column += piece.count
        }
    }
}
