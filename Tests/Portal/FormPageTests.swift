import Accounts
import Core
import Testing

@testable import Portal

@Suite struct FormPageTests {
    @Test(arguments: UserProblem.allCases) func everyProblemHasItsWords(_ problem: UserProblem) {
        for language in Language.allCases { #expect(language.texts[problem.rawValue] != nil, "\(language)") }
    }

    @Test func everyEventIsCalledTheSameInAllLanguages() {
        let english = ActivityWords.of(.english)
        for language in Language.allCases {
            #expect(Set(ActivityWords.of(language).keys) == Set(english.keys), "\(language)")
        }
        for key in english.keys where key != "other" { #expect(AuditEventType(rawValue: key) != nil, "\(key)") }
    }

    /// Somebody who hears the page must not be sent to a field that was right.
    @Test func onlyWhatIsWrongIsMarked() {
        func marks(_ code: AccountsError.Code, _ problem: UserProblem? = nil) -> [FieldMark] {
            FieldMark.of(AccountsError(code, "", problem))
        }
        #expect(marks(.invalidCredentials) == [.identifier, .password])
        #expect(marks(.invalidCode) == [.code])
        #expect(marks(.invalid, .emailMalformed) == [.email])
        #expect(marks(.invalid, .routesMissing) == [.routes])
        #expect(FieldMark.of(AccountsError(.invalid, "", cause: PasswordProblem.tooShort)) == [.new])
        for code in [AccountsError.Code.rateLimited, .accountLocked, .store, .userDisabled, .emailNotVerified] {
            #expect(marks(code).isEmpty, "\(code)")
        }
        #expect(marks(.refused, .lastWay).isEmpty)
    }

    /// A mark that no template shows would be a field that nobody finds.
    @Test func everyMarkIsShownSomewhere() {
        for mark in [FieldMark.identifier, .password, .new, .code, .email, .name, .routes] {
            let tag = "{{#\(mark.rawValue)}} aria-invalid=\"true\""
            #expect(Templates.all.values.contains { $0.contains(tag) }, "\(mark)")
        }
    }

    @Test func everyClassHasItsStyle() {
        let stylesheet = Stylesheet.text(Palette(accent: nil))
        for (name, text) in Templates.all {
            for match in text.matches(of: /class="([a-z ]+)"/) {
                for style in match.1.split(separator: " ") {
                    #expect(stylesheet.contains(".\(style)"), "\(name): \(style)")
                }
            }
        }
    }

    /// Both ask the provider: neither may stand among what is answered at once.
    @Test(arguments: ["/.auth/oauth/corp", "/.auth/oauth/corp/callback", "/.auth/api/oauth/corp"])
    func aHeadWaitsWhereItsGetDoes(_ path: String) {
        for method in ["GET", "HEAD"] {
            let request = LocalRequest(
                method: method, path: path, query: nil, host: "auth.example.com", headers: [], body: [], identity: nil,
                clientAddress: nil, requestID: "r")
            #expect(PortalResponder.lane(of: request) == .provider, "\(method)")
        }
    }
}
