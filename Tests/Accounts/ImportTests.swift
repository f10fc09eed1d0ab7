import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

@Suite struct ImportTests {
    private static let bcrypt = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"

    private func read(_ format: ImportFormat, _ text: String) throws -> [Result<ImportedAccount, ImportFlaw>] {
        try format.read(Array(text.utf8))
    }

    private func outcomes(
        _ test: TestStore, _ lines: [Result<ImportedAccount, ImportFlaw>], _ options: ImportOptions = ImportOptions()
    ) throws -> [String] {
        try test.store.importUsers(lines, options, by: TestStore.cli).outcomes.map {
            "\($0.line.map { "\($0)" } ?? "-") \($0.outcome.rawValue)"
        }
    }

    @Test func csvIsReadAsItIsWritten() throws {
        let lines = try read(
            .csv,
            "email,name,groups,disabled\r\nada@example.com,\"Lovelace, \"\"Ada\"\"\",staff; admins,\r\n\n"
                + "b@example.com,\"two\nlines\",,yes\nc@example.com,x\nd@example.com,D,,maybe\n")
        #expect(
            try lines[0].get()
                == ImportedAccount(
                    line: 2, email: "ada@example.com", name: "Lovelace, \"Ada\"", groups: ["staff", "admins"]))
        #expect(try lines[1].get().line == 4 && lines[1].get().disabled && lines[1].get().groups == [])
        #expect(throws: ImportFlaw.self) { try lines[2].get() }
        #expect(throws: ImportFlaw.self) { try lines[3].get() }
        for bad in ["name\nx\n", "email,email\n", "email,passwd\n", "email\n\"a@example.com\n"] {
            #expect(throws: ImportFlaw.self) { try read(.csv, bad) }
        }
        #expect(throws: ImportFlaw.self) { try ImportFormat.csv.read([0xff, 0xfe]) }
        #expect(try read(.csv, "").isEmpty)
    }

    @Test func otherFormats() throws {
        let json = try read(
            .jsonl,
            #"{"email":"a@example.com","groups":["x"],"password_hash":"h"}"# + "\n\nnonsense\n" + #"{"name":"x"}"#)
        #expect(try json[0].get() == ImportedAccount(line: 1, email: "a@example.com", groups: ["x"], passwordHash: "h"))
        #expect(json.count == 3)
        #expect(throws: ImportFlaw.self) { try json[1].get() }
        #expect(throws: ImportFlaw.self) { try json[2].get() }
        let htpasswd = try read(.htpasswd, "# comment\nada:\(Self.bcrypt)\nb@example.com:\(Self.bcrypt)\nbroken\n:x\n")
        #expect(try htpasswd[0].get().email == "ada@localhost" && htpasswd[0].get().username == "ada")
        #expect(try htpasswd[1].get().email == "b@example.com")
        #expect(throws: ImportFlaw.self) { try htpasswd[2].get() }
        #expect(throws: ImportFlaw.self) { try htpasswd[3].get() }
    }

    @Test(arguments: ImportFormat.allCases) func filesOfOtherSystemsAreReadAlike(format: ImportFormat) throws {
        let text =
            switch format {
            case .csv: "email,name\na@example.com,\n\nb@example.com,\n"
            case .jsonl: #"{"email":"a@example.com"}"# + "\n\n" + #"{"email":"b@example.com"}"# + "\n"
            case .htpasswd: "a@example.com:\(Self.bcrypt)\n\nb@example.com:\(Self.bcrypt)\n"
            }
        let lines = try read(format, text)
        #expect(try lines.map { try $0.get().email } == ["a@example.com", "b@example.com"])
        #expect(try lines.map { try $0.get().line } == (format == .csv ? [2, 4] : [1, 3]))
        #expect(try read(format, text.replacing("\n", with: "\r\n")) == lines)
        #expect(try read(format, "\u{feff}" + text) == lines)
    }

    @Test func toRunItAgainChangesNothing() throws {
        let test = try TestStore()
        let lines = try read(
            .csv,
            "email,username,name,groups,password_hash\na@example.com,ada,Ada,staff,\(Self.bcrypt)\n"
                + "b@example.com,bert,Bert,,\nnot-an-address,x,,,\nc@example.com,ADA,,,\na@EXAMPLE.com,other,,,\n"
                + "d@example.com,dora,,,nonsense\n")
        let first = try outcomes(test, lines)
        #expect(first == ["2 new", "3 new", "4 skipped", "5 skipped", "6 skipped", "7 skipped"])
        let events = try test.events().count
        for options in [ImportOptions(), ImportOptions(updates: true)] {
            #expect(
                try outcomes(test, lines, options)
                    == ["2 unchanged", "3 unchanged", "4 skipped", "5 skipped", "6 skipped", "7 skipped"])
        }
        #expect(try test.events().count == events)
        #expect(try test.store.user("ada").groups == ["staff"])
        #expect(try test.store.check() == [])
    }

    @Test func updatesOnlyWhenToldAndNeverOverAPasswordOfTheirOwn() throws {
        let test = try TestStore()
        _ = try outcomes(test, try read(.csv, "email,name,password_hash\na@example.com,Ada,\(Self.bcrypt)\n"))
        let changed = try read(.csv, "email,name,groups\na@example.com,Countess,admins\n")
        #expect(try outcomes(test, changed) == ["2 skipped"])
        #expect(try outcomes(test, changed, ImportOptions(updates: true, isDryRun: true)) == ["2 changed"])
        #expect(try test.store.user("a@example.com").name == "Ada")
        #expect(try outcomes(test, changed, ImportOptions(updates: true)) == ["2 changed"])
        #expect(try test.store.user("a@example.com").groups == ["admins"])
        let own = try PasswordHash.make(
            TestAccounts.secret("x"), parameters: Argon2Parameters(memoryKiB: 8, passes: 1, lanes: 1)
        ).text
        try test.store.setPassword(of: "a@example.com", hash: own, by: TestStore.cli)
        let old = try read(.csv, "email,password_hash\na@example.com,\(Self.bcrypt)\n")
        #expect(try outcomes(test, old, ImportOptions(updates: true)) == ["2 unchanged"])
        let id = try test.store.user("a@example.com").id
        let stored = try test.store.read { try Tables.passwords.get(id, in: $0)?.hash }
        #expect(stored == own)
    }

    @Test func theMissingAreDisabledButForServicesAndAdministrators() throws {
        let test = try TestStore()
        try test.addUser("gone@example.com")
        try test.addUser("root@example.com", groups: ["gatehouse-admins"])
        try test.addUser("bot@example.com", service: true)
        try test.addUser("said@example.com")
        let lines = try read(.csv, "email,disabled\nsaid@example.com,true\nnew@example.com,\n")
        let options = ImportOptions(disablesMissing: true)
        let dry = try outcomes(test, lines, ImportOptions(disablesMissing: true, isDryRun: true))
        #expect(try test.store.users().allSatisfy { !$0.disabled } && test.store.users().count == 4)
        let done = try outcomes(test, lines, options)
        #expect(
            Set(done) == Set(dry) && Set(done) == ["2 unchanged", "3 new", "2 disabled", "- disabled", "- skipped"])
        let disabled = try test.store.users().filter(\.disabled).map(\.email).sorted()
        #expect(disabled == ["gone@example.com", "said@example.com"])
    }

    /// Whatever ends an import, nobody comes in who was kept out in the other system.
    @Test func whoIsDisabledIsSoFromTheBeginning() throws {
        let test = try TestStore()
        let lines = try read(.csv, "email,disabled,password_hash\na@example.com,true,\(Self.bcrypt)\nb@example.com,,\n")
        var seen: [Bool] = []
        let report = try test.store.importUsers(lines, ImportOptions(), by: TestStore.cli) { _ in
            seen = ["a", "b"].map { name in (try? test.store.user("\(name)@example.com").disabled) ?? false }
        }
        #expect(seen == [true, false])
        #expect(report.outcomes.map(\.outcome) == [.new, .new])
        #expect(report.outcomes.map(\.reason) == ["it is disabled", nil])
        #expect(try test.store.blocks().count == 1)
        #expect(try test.events(AuditFilter(type: "user_disabled")).map(\.user) == ["a@example.com"])
        #expect(try test.store.check() == [])
    }

    /// Who seems to be missing may be the one whom a line is about that cannot be read.
    @Test(arguments: ["gone@example.com,maybe", "gone@example.com", "gone@example..com,"])
    func nobodyIsMissingInAFileThatIsNotUnderstood(line: String) throws {
        let test = try TestStore()
        try test.addUser("gone@example.com")
        try test.addUser("other@example.com")
        try test.addUser("said@example.com")
        let lines = try read(.csv, "email,disabled\n\(line)\nsaid@example.com,yes\n")
        let options = ImportOptions(disablesMissing: true)
        let done = try outcomes(test, lines, options)
        #expect(done == ["2 skipped", "3 unchanged", "- skipped", "3 disabled"])
        #expect(try test.store.users().filter(\.disabled).map(\.email) == ["said@example.com"])
    }

    @Test func manyLinesGoInBatches() throws {
        let test = try TestStore()
        var text = "email\n"
        for index in 0..<2500 { text += "user\(index)@example.com\n" }
        var steps: [Int] = []
        let report = try test.store.importUsers(
            try read(.csv, text), ImportOptions(), by: TestStore.cli, progress: { steps.append($0) })
        #expect(report.count(.new) == 2500 && steps == [1000, 2000, 2500])
    }
}
