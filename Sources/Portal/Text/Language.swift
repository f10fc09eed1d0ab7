internal import Accounts

/// A language that pages are written in.
enum Language: String, CaseIterable, Sendable {
    case english = "en"
    case german = "de"

    /// The text of a page, by key.
    var texts: [String: String] {
        switch self {
        case .english: Catalogue.allEnglish
        case .german: Catalogue.allGerman
        }
    }

    var mail: MailLanguage {
        switch self {
        case .english: .english
        case .german: .german
        }
    }

    /// The one that a browser likes best (RFC 9110 section 12.5.4); the first of ours where it likes none of them.
    init(accepting header: String?, among ours: [Language] = Language.allCases) {
        var best: (language: Language, quality: Double)?
        for part in (header ?? "").prefix(512).split(separator: ",") {
            let pieces = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let tag = pieces.first?.lowercased() else { continue }
            var quality = 1.0
            for piece in pieces.dropFirst() where piece.lowercased().hasPrefix("q=") {
                quality = Double(piece.dropFirst(2)) ?? 0
            }
            let primary = tag.split(separator: "-").first.map(String.init) ?? tag
            guard let language = Language(rawValue: primary), ours.contains(language), quality > 0, quality <= 1 else {
                continue
            }
            if best.map({ $0.quality < quality }) ?? true { best = (language, quality) }
        }
        self = best?.language ?? ours.first ?? .english
    }
}

/// The text of all pages: one file a language, each with the same keys.
enum Catalogue {}
