import Core
import Policy
import Testing

@Suite struct PathTests {
    static let admin = CredentialState.session("ada", ["admins", "staff"], factors: 2)

    @Test(arguments: ["/%61dmin/x", "/admin;x/y", "/admin", "/admin/", "/admin/x", "/admin;a=b", "/%61%64min%3bq/z"])
    func everySpellingOfAdminGetsItsVerdict(_ path: String) {
        #expect(Snapshot.contract.says(path, .session("s", ["staff"])) == "deny group_missing")
        #expect(Snapshot.contract.says(path) == "sign_in sign_in_required")
        #expect(Snapshot.contract.says(path, Self.admin) == "allow")
        #expect(
            Snapshot.contract.says(path, .session("ada", ["admins", "staff"])) == "step_up factor_missing")
    }

    @Test(arguments: [
        "/public/..;/admin", "/public/../admin", "/public/%2e%2e/admin", "/public/.%2E/admin", "/..", "/.", "/a/./b",
        "/%2e", "/a/.;x=1/b", "/a/..%3bx/b", "/public/%2e%2e;/admin", "/public/..", "/public/%00", "/public/%0a",
        "/public/%7f", "/public/%", "/public/%4", "/public/%zz", "/public/%252e%252e/admin", "/public/%252Fadmin",
        "/public/%255cx", "/public/%2500", "/public/a#b", "/public/a?b", "/public\\admin", "/public/a b", "", "public",
        "*", "/public//x", "//public/x", "/public/%2fx", "/public/%5Cx", "/public/\u{e4}", "/public/\u{1}",
    ])
    func lesson37_ambiguousPathsAreRefused(_ path: String) {
        #expect(Snapshot.contract.says(path, Self.admin) == "deny path_refused", "\(path)")
    }

    @Test func lesson05_queriesAreNeverCompared() {
        #expect(Snapshot.contract.says("/admin?x=/public/a") == "deny path_refused")
        #expect(Snapshot.findings(in: [RouteDescription(name: "a", paths: ["/a?b=*"])]).map(\.code) == [.badGlob])
    }

    @Test func lesson06_encodedDelimitersAreOrdinaryBytes() {
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.everyone), paths: ["/foo/*/bar"]), RuleDescription(.allow(.signedIn)),
        ])
        #expect(snapshot.says("/foo/x/bar") == "allow")
        #expect(snapshot.says("/foo/x/secret%23/bar") == "sign_in sign_in_required")
        #expect(snapshot.says("/foo/secret%23/bar") == "allow", "it is a segment named secret#")
        #expect(snapshot.says("/foo/x/bar%23") == "sign_in sign_in_required")
        #expect(snapshot.says("/foo/x/bar%3fy") == "sign_in sign_in_required")
        #expect(snapshot.says("/foo/x/bar#") == "deny path_refused")
    }

    @Test func lesson77_rulesSeeTheDecodedPath() {
        #expect(Snapshot.contract.says("/%61%64%6d%69%6e/x", .session("s", ["staff"])) == "deny group_missing")
        #expect(Snapshot.contract.says("/admi%6E", .session("s", ["staff"])) == "deny group_missing")
    }

    @Test func parametersAreJudgedKeptAndDropped() {
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.everyone), paths: ["/public/*"]), RuleDescription(.allow(.group("staff"))),
        ])
        #expect(snapshot.says("/public/a;x") == "allow")
        #expect(snapshot.says("/public;x/a") == "sign_in sign_in_required")
        // Whoever takes them off is left with an empty segment, and whoever folds that reads /admin here.
        #expect(Snapshot.contract.says("/;x/admin", .session("s", ["staff"])) == "deny path_refused")
        #expect(Snapshot.contract.says("/admin/;x", .session("s", ["staff"])) == "deny group_missing")
    }

    @Test func lesson56_keptSeparatorsAreJudgedInEveryReading() {
        let kept = Snapshot.one([
            RuleDescription(.allow(.group("admins")), paths: ["/*/admin/**", "/admin/**"]),
            RuleDescription(.allow(.everyone)),
        ]) { $0.keepInPath = [.encodedSlash, .encodedBackslash, .emptySegment] }
        #expect(kept.says("/a%2Fadmin/x") == "sign_in sign_in_required")
        #expect(kept.says("/a%5cadmin/x") == "sign_in sign_in_required")
        #expect(kept.says("/a%2fb%5cc") == "allow")
        #expect(kept.says("//admin") == "sign_in sign_in_required")
        #expect(kept.says("/%2fadmin") == "sign_in sign_in_required")
        #expect(kept.says("/%5c;x/admin") == "sign_in sign_in_required")
        #expect(kept.says("/a/..%2fadmin") == "deny path_refused")
        #expect(kept.says("/a%5c..%5cadmin") == "deny path_refused")
        #expect(kept.says("/a//b") == "allow")
        #expect(kept.says("/a/;x/b") == "allow")
        let slash = Snapshot.one([RuleDescription(.allow(.everyone))]) { $0.keepInPath = [.encodedSlash] }
        #expect(slash.says("/a%2fb") == "allow")
        #expect(slash.says("/a%5cb") == "deny path_refused")
        #expect(slash.says("/a//b") == "deny path_refused")
        #expect(slash.says("/a%2f/b") == "deny path_refused")
        #expect(slash.says("/a%2f%2Fb") == "deny path_refused")
        #expect(slash.says("/a/;x%2fb") == "deny path_refused")
        #expect(slash.says("/a%2f") == "allow")
    }

    @Test func readingsOnDifferentRoutesAreAllJudged() {
        let snapshot = Snapshot.many([
            RouteDescription(name: "admin", paths: ["/admin/**"], rules: [RuleDescription(.allow(.group("admins")))]),
            RouteDescription(
                name: "rest", rules: [RuleDescription(.allow(.signedIn))], credentialsFrom: [.authorization]),
        ])
        #expect(snapshot.says("/admin;x", .session("s", ["staff"])) == "deny group_missing")
        // Kept parameters fall onto `rest`, which would not have read a cookie.
        #expect(snapshot.says("/admin;x", .session("s", ["admins"])) == "sign_in sign_in_required")
        #expect(snapshot.says("/admin", .session("s", ["admins"])) == "allow")
        let strictKept = Snapshot.many([
            RouteDescription(name: "a", paths: ["/a/**"], rules: [RuleDescription(.allow(.everyone))])
        ])
        #expect(strictKept.says("/a;x") == "deny no_route")
        #expect(strictKept.says("//b") == "deny path_refused", "no route keeps it")
        #expect(strictKept.answer("/a/;x").route == "a")
    }

    @Test func caseIsIgnoredOnlyWhereAsked() {
        let rules = [
            RuleDescription(.allow(.group("admins")), paths: ["/Ädmin/**"]), RuleDescription(.allow(.everyone)),
        ]
        #expect(Snapshot.one(rules).says("/%C3%84dmin") == "sign_in sign_in_required")
        #expect(Snapshot.one(rules).says("/%C3%A4dmin") == "allow")
        let folding = Snapshot.one(rules) { $0.ignorePathCase = true }
        #expect(folding.says("/%C3%A4DMIN/x") == "sign_in sign_in_required")
        #expect(folding.says("/other") == "allow")
        let ascii = Snapshot.one([
            RuleDescription(.allow(.group("admins")), paths: ["/admin/*.php"]), RuleDescription(.allow(.everyone)),
        ]) { $0.ignorePathCase = true }
        #expect(ascii.says("/Admin/X.PHP") == "sign_in sign_in_required")
    }

    /// Any spelling gets a verdict that is at least as strict as that of its plain form, and the very same one when it
    /// differs by escapes only.
    @Test func noSpellingIsLaxerThanItsCanonicalReading() {
        var random = Seeded(37)
        let people: [CredentialState] = [
            .none, .revoked, Self.admin, .session("s", ["staff"]), .key(["staff"], scopes: ["wiki:read"]),
        ]
        let words = ["admin", "public", "api", "x", "a.b", "-", "adminx", "..."]
        for _ in 0..<4000 {
            let segments = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                words.randomElement(using: &random) ?? ""
            }
            let plain = "/" + segments.joined(separator: "/")
            var escaped = ""
            for character in plain.utf8 {
                let escapes = character != UInt8(ascii: "/") && character != UInt8(ascii: ".")
                if escapes, Int.random(in: 0..<3, using: &random) == 0 {
                    let hex = String(character, radix: 16, uppercase: Bool.random(using: &random))
                    escaped += "%" + hex
                } else {
                    escaped.unicodeScalars.append(Unicode.Scalar(character))
                }
            }
            if Bool.random(using: &random), plain != "/" { escaped += "/" }
            let parameters = segments.map { Bool.random(using: &random) ? $0 + ";p=1" : $0 }
            let decorated = "/" + parameters.joined(separator: "/")
            for person in people {
                let expected = Snapshot.contract.answer(plain, person)
                #expect(Snapshot.contract.answer(escaped, person) == expected, "\(plain) \(escaped)")
                #expect(Snapshot.contract.answer(decorated, person).verdict >= expected.verdict, "\(decorated)")
            }
        }
    }

    @Test func hostileBytesNeverTrap() {
        var random = Seeded(4)
        let alphabet = Array("/%;.\\2f5ce0#?abAD\u{0}*~".utf8) + [0xff, 0x80, 0x7f]
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.group("admins")), paths: ["/**/a*b/**/*c"]), RuleDescription(.allow(.everyone)),
        ]) {
            $0.keepInPath = [.encodedSlash, .encodedBackslash, .emptySegment]
            $0.ignorePathCase = true
        }
        for _ in 0..<20000 {
            let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            let path = Bool.random(using: &random) ? [UInt8(ascii: "/")] + bytes : bytes
            let facts = Facts(
                method: bytes.span, host: bytes.span, path: path.span, clientAddress: nil, isPreflight: false,
                now: .noon)
            let judgement = snapshot.decide(facts, credential: .none)
            #expect(judgement.verdict == .allow || judgement.reason != nil)
        }
    }
}
