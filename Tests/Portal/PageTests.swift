import Accounts
import Core
import Testing

@testable import Portal

@Suite struct PageTests {
    @Test func theLanguagesHaveTheSameKeys() {
        for language in Language.allCases {
            #expect(Set(language.texts.keys) == Set(Catalogue.allEnglish.keys), "\(language)")
            #expect(language.texts.values.allSatisfy { !$0.isEmpty }, "\(language)")
            #expect(language.texts["language"] == language.rawValue)
        }
    }

    @Test func templatesNameOnlyWhatTheCatalogueHas() throws {
        let pattern = /t\.([a-z_]+)/
        for (name, text) in Templates.all {
            for tag in text.matches(of: /\{\{([^}]*)\}\}/) {
                for match in String(tag.1).matches(of: pattern) {
                    #expect(Catalogue.allEnglish[String(match.1)] != nil, "\(name): \(match.1)")
                }
            }
        }
    }

    @Test func everyProblemOfAPasswordHasItsSentence() {
        for problem in PasswordProblem.allCases {
            for language in Language.allCases { #expect(language.texts[problem.rawValue] != nil, "\(problem)") }
        }
    }

    @Test func addressesAreEscapedInQueries() {
        let address = "https://app.example.com/a?b=c&d=%2F+é\0"
        let escaped = FormFields.escape(address)
        #expect(escaped == "https%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc%26d%3D%252F%2B%C3%A9%00")
        #expect(FormFields(parsing: Array("x=\(escaped)".utf8))?["x"] == address)
    }

    /// What came in a target fits into one again.
    @Test func longAddressesAreEscapedSparingly() {
        let address = "https://app.example.com/a?b=" + String(repeating: "c/d", count: 2500) + "&e=%2F"
        let escaped = FormFields.escape(address)
        #expect(escaped.utf8.count == address.utf8.count + 4)
        #expect(FormFields(parsing: Array("x=\(escaped)&y=z".utf8))?["x"] == address)
    }

    @Test func aRefusalsReasonGoesThroughTheRouter() {
        let refused = PortalFailure(status: 403, code: "email_not_verified", detail: "")
        let answer = Answer(status: 403, headers: refused.headers)
        #expect(answer.local.refusal == LocalRefusal(.emailNotVerified, .deny, isAudited: true))
        #expect(answer.local.headers.isEmpty)
        let loop = Answer(status: 403).refused(.loginLoop)
        #expect(loop.local.refusal == LocalRefusal(.loginLoop, .deny, isAudited: false))
        #expect(PortalFailure(status: 404, code: "not_found", detail: "").reason == nil)
        #expect(Answer(status: 303).refused(.loginLoop).local.refusal == nil)
        let locked = PortalFailure(AccountsError(.accountLocked, "", retryAfter: .seconds(1)))
        #expect(locked.reason == .userLocked && locked.code == "account_locked")
        let step = Answer(status: 403).refused(.factorMissing).local.refusal
        #expect(step == LocalRefusal(.factorMissing, .stepUp, isAudited: false))
    }

    /// A reason without a sentence of its own is shown by a general one.
    @Test func sentencesOfReasonsBelongToReasons() {
        for key in Catalogue.allEnglish.keys where key.hasPrefix("reason_") && key != "reason_other" {
            #expect(Reason(rawValue: String(key.dropFirst(7))) != nil, "\(key)")
        }
    }

    @Test func lesson16_templatesEscapeEverything() throws {
        let renderer = try Renderer()
        // The second is one character in Swift's eyes, and a tag in a browser's.
        let bad = "<script>alert('\"&')</script>\u{600}<meta x=\"\u{301}>"
        for (name, text) in Templates.all {
            #expect(!text.contains("{{{") && !text.contains("{{&"), "\(name) has unescaped values")
            // The one script of our own, from a file.
            let text = text.replacing("<script src=\"{{script}}\" defer></script>", with: "")
            #expect(!text.contains("<script") && !text.contains("style=") && !text.contains(" on"), "\(name)")
            var values: [String: Any] = ["t": Language.english.texts]
            for tag in text.matches(of: /\{\{[#^]?([a-z_]+)\}\}/) { values[String(tag.1)] = bad }
            let page = String(decoding: renderer.render(name, values), as: UTF8.self)
            #expect(!page.contains("<script>"), "\(name)")
            #expect(!page.contains("alert('"), "\(name)")
            #expect(!page.utf8.joinsTag, "\(name)")
        }
    }

    @Test func everyInputHasItsLabel() {
        for (name, text) in Templates.all {
            for input in text.matches(of: /<input id="([a-z-]+)"/) {
                #expect(text.contains("<label for=\"\(input.1)\">"), "\(name): \(input.1)")
            }
        }
    }

    @Test func theLanguageIsTheOneThatIsLikedBest() {
        #expect(Language(accepting: nil) == .english)
        #expect(Language(accepting: "de") == .german)
        #expect(Language(accepting: "de-AT,de;q=0.9,en;q=0.8") == .german)
        #expect(Language(accepting: "fr, en;q=0.5, de;q=0.7") == .german)
        #expect(Language(accepting: "de;q=0, en;q=0.1") == .english)
        #expect(Language(accepting: "de;q=x, fr") == .english)
        #expect(Language(accepting: String(repeating: ",", count: 10_000)) == .english)
        #expect(Language(accepting: "de", among: [.english]) == .english)
        #expect(Language(accepting: "fr", among: [.german, .english]) == .german)
        #expect(Language(accepting: "en", among: [.german]) == .german)
    }

    @Test func thereIsLittleToLoad() {
        let stylesheet = Stylesheet.text(Palette(accent: nil))
        #expect(stylesheet.utf8.count < 8_000)
        #expect(!stylesheet.contains("url("))
    }

    @Test func formsAreReadInOneWayOnly() {
        func fields(_ text: String) -> FormFields? { FormFields(parsing: Array(text.utf8)) }
        #expect(fields("a=b&c=d+e%2B%C3%A4")?["c"] == "d e+ä")
        #expect(fields("a")?["a"] == "")
        #expect(fields("a=b=c")?["a"] == "b=c")
        #expect(fields("")?["a"] == nil)
        for bad in ["a=1&a=2", "a=%", "a=%4", "a=%zz", "%=1", "a=%ff", "a=1&%61=2"] {
            #expect(fields(bad) == nil, "\(bad)")
        }
    }
}

extension String.UTF8View {
    /// A browser would see the beginning of a `meta` element or a quote behind `x=`.
    fileprivate var joinsTag: Bool {
        let bytes = Array(self)
        return [Array("<meta x".utf8), Array("x=\"".utf8)].contains { mark in
            bytes.indices.contains { bytes[$0...].starts(with: mark) }
        }
    }
}
