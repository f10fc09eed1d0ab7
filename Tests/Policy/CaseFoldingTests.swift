import Core
import Testing

@testable import Policy

/// `ignore_path_case`: what anybody who ignores case takes for one path is one.
@Suite struct CaseFoldingTests {
    @Test func lesson37_allThatIgnoreCaseAgree() {
        var different: [UInt32] = []
        for value in UInt32(0)...0x10ffff {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let folded = Array(CaseFolding.fold(String(scalar)).utf8)
            let properties = scalar.properties
            for mapping in [properties.lowercaseMapping, properties.uppercaseMapping, properties.titlecaseMapping]
            where !CaseFolding.fold(mapping).utf8.elementsEqual(folded) {
                different.append(value)
            }
            // Nothing becomes a slash, a dot or a star.
            let isAsLetter = value < 0x80 || folded.allSatisfy { $0 >= 0x80 || (0x61...0x7a).contains($0) }
            if !isAsLetter { different.append(value) }
        }
        #expect(different.isEmpty)
    }

    @Test(arguments: [
        ("/secret/**", "/%C5%BFecret/x"), ("/secret/**", "/SECRET/x"), ("/admin/**", "/adm%C4%B1n/x"),
        ("/admin/**", "/ADM%C4%B0N/x"), ("/kiosk/**", "/%E2%84%AAiosk"), ("/straße", "/STRASSE"),
        ("/straße", "/Stra%E1%BA%9Ee"), ("/STRASSE", "/stra%C3%9Fe"), ("/Ärger/*", "/%C3%A4rger/1"),
        ("/ſecret/**", "/secret"), ("/İzmir/**", "/izmir/x"), ("/a*/σ", "/abc/%CF%82"),
    ])
    func lesson37_aRuleIsNotPassedByAnotherCase(_ glob: String, _ path: String) {
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.group("admins")), paths: [glob]), RuleDescription(.allow(.signedIn)),
        ]) { $0.ignorePathCase = true }
        #expect(snapshot.says(path, .session("ann", ["staff"])) == "deny group_missing")
        #expect(snapshot.says("/other", .session("ann", ["staff"])) == "allow")
    }

    @Test func withoutTheSwitchLettersAreWhatTheyAre() {
        let snapshot = Snapshot.one([
            RuleDescription(.allow(.group("admins")), paths: ["/secret/**"]), RuleDescription(.allow(.signedIn)),
        ])
        #expect(snapshot.says("/%C5%BFecret/x", .session("ann", ["staff"])) == "allow")
    }
}
