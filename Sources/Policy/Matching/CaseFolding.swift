/// Text without its case. Whoever ignores case compares in lower case, in upper case or by Unicode's case folding, in
/// full or letter by letter; letters that any of them takes for one are one here. So `ſ` is `s` (its upper case is `S`),
/// `ı` and `İ` are `i`, `ß` is `ss`, and the Kelvin sign is `k`.
enum CaseFolding {
    static func fold(_ text: String) -> String {
        let lowered = text.lowercased()
        if lowered.utf8.allSatisfy({ $0 < 0x80 }) { return lowered }
        var result = String.UnicodeScalarView()
        // The full lower case of `İ` is an `i` with a dot above, the simple one is `i`.
        for scalar in lowered.uppercased().lowercased().unicodeScalars
        where scalar != "\u{307}" || result.last != "i" {
            result.append(scalar)
        }
        return String(result)
    }
}
