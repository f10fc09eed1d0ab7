import Core
import LMDB
import Synchronization
import Testing

@testable import Accounts

@Suite struct UserTests {
    @Test func addShowListAndEvents() throws {
        let test = try TestStore()
        let ada = try test.addUser()
        #expect(ada.username == "ada@example.com")
        #expect(try test.store.user("ADA@Example.com") == ada)
        #expect(try test.store.user(ada.id) == ada)
        #expect(try test.store.users() == [ada])
        let event = try #require(try test.events().first)
        #expect(event.type == "user_added" && event.actor == "cli:root" && event.userID == ada.id)
        #expect(ada.jsonLine.contains("\"created_at\":\"2027-01-15T08:00:00.000Z\""))
    }

    @Test func emailAndNameAreUnique() throws {
        let test = try TestStore()
        try test.addUser("ada@example.com", username: "ada")
        #expect(throws: AccountsError(.exists, "")) { try test.addUser("ADA@EXAMPLE.COM", username: "other") }
        #expect(throws: AccountsError(.exists, "")) { try test.addUser("b@example.com", username: "Ada") }
        // A sign-in takes either, so a name may not be somebody else's address, nor an address somebody else's name.
        #expect(throws: AccountsError(.exists, "")) { try test.addUser("c@example.com", username: "ada@example.com") }
        try test.addUser("d@example.com", username: "eve@example.com")
        #expect(throws: AccountsError(.exists, "")) { try test.addUser("eve@example.com", username: "eve") }
        #expect(try test.store.check() == [])
    }

    @Test func lesson07_anAddressHasOneAt() throws {
        let test = try TestStore()
        for bad in ["a@evil.com@corp.com", "a", "@b.com", "a@", "a b@c.com", "\"a\"@b.com", "a@b..com", ""] {
            #expect(throws: AccountsError(.invalid, "")) { try test.addUser(bad) }
        }
    }

    @Test(arguments: ["ada@example.com", "Ada@Example.Com", "ADA@EXAMPLE.COM"])
    func lesson13_14_everySpellingIsOneAccount(spelling: String) throws {
        let test = try TestStore()
        let ada = try test.addUser("ada@example.com", username: "Ada.L")
        #expect(try test.store.user(spelling).id == ada.id)
        #expect(try test.store.user("aDA.l").id == ada.id)
        #expect(throws: AccountsError(.exists, "")) { try test.addUser(spelling, username: "another") }
    }

    @Test func aNameIsNeverGivenToASecondAccount() throws {
        let test = try TestStore()
        try test.addUser("ada@example.com", username: "ada")
        _ = try test.store.renameUser("ada", to: "countess", by: TestStore.cli)
        #expect(throws: AccountsError(.exists, "")) { try test.addUser("b@example.com", username: "ADA") }
        #expect(throws: AccountsError(.notFound, "")) { try test.store.user("ada") }
        #expect(try test.store.renameUser("countess", to: "ada", by: TestStore.cli).username == "ada")
        _ = try test.store.deleteUser("ada", by: TestStore.cli)
        #expect(throws: AccountsError(.exists, "")) { try test.addUser("ada@example.com", username: "Countess") }
        // The address may be used again, by a new account that is not the old one.
        #expect(try test.addUser("ada@example.com", username: "ada2").username == "ada2")
        #expect(try test.store.check() == [])
    }

    @Test func anAddressOutlivesItsAccountButNotAsAName() throws {
        let test = try TestStore()
        let old = try test.addUser()
        _ = try test.store.deleteUser(old.id, by: TestStore.cli)
        #expect(throws: AccountsError(.exists, "")) { try test.addUser() }
        let new = try test.addUser(username: "ada2")
        #expect(new.id != old.id)
        #expect(try test.store.user("ada@example.com").id == new.id)
        #expect(try test.store.check() == [])
    }

    @Test func whoWasShutOutDoesNotComeBackWithTheEndOfTheAccount() throws {
        let test = try TestStore()
        let store = test.store
        let email = try #require(EmailAddress("ada@example.com"))
        func isBlocked() throws -> Bool {
            try store.read { try Tables.blocks.revision(of: BlockSubject.email(email).key, in: $0) != nil }
        }
        let old = try test.addUser()
        _ = try store.disableUser(old.id, by: TestStore.cli)
        #expect(try store.deleteUser(old.id, by: TestStore.cli).blockedEmail == "ada@example.com")
        #expect(try isBlocked())
        // A list that is imported every night takes nobody in again who was sent away here.
        let list = "email,username,groups,password_hash\nada@example.com,ada1,,\n"
        let imported = try store.importUsers(
            try ImportFormat.csv.read(Array(list.utf8)), ImportOptions(), by: TestStore.cli
        ).outcomes
        #expect(imported.map(\.outcome) == [.new] && imported.first?.reason?.contains("block remove") == true)
        #expect(try isBlocked())
        _ = try store.deleteUser("ada1", by: TestStore.cli)
        #expect(try isBlocked())
        // Until the operator takes them in by name.
        _ = try test.addUser("Ada@example.com", username: "ada2")
        #expect(try !isBlocked())
        #expect(try test.events(AuditFilter(type: "block_removed")).count == 1)
        // A block that nobody's disabling has set is the operator's to lift.
        _ = try store.deleteUser("ada2", by: TestStore.cli)
        _ = try store.addBlock(.email(email), by: TestStore.cli)
        _ = try test.addUser("ada@example.com", username: "ada3")
        #expect(try isBlocked())
    }

    @Test func namesAndGroupsAreChecked() throws {
        let test = try TestStore()
        for bad in ["", "a b", "a:b", "é", "a\nb", String(repeating: "a", count: 65)] {
            #expect(throws: AccountsError(.invalid, "")) { try test.addUser("x@example.com", username: bad) }
        }
        for bad in ["", "a b", "a,b", "é", String(repeating: "g", count: 65)] {
            #expect(throws: AccountsError(.invalid, "")) { try test.addUser("x@example.com", groups: [bad]) }
        }
        let user = try test.addUser("x@example.com", groups: ["b", "a", "b", "gatehouse-admins", "x:/y@z._-"])
        #expect(user.groups == ["a", "b", "gatehouse-admins", "x:/y@z._-"])
        #expect(throws: AccountsError(.refused, "")) { try GroupName.validated(["Gatehouse-x"], byOperator: false) }
    }

    @Test func ofManyAtOnceExactlyOneGetsTheAddress() throws {
        let test = try TestStore()
        let store = test.store
        let won = Mutex(0)
        let lost = Mutex(0)
        concurrently(8) { index in
            do throws(AccountsError) {
                let email = index % 2 == 0 ? "ada@example.com" : "ADA@example.com"
                _ = try store.addUser(NewUser(email: email, username: "user\(index)"), by: TestStore.cli)
                won.withLock { $0 += 1 }
            } catch {
                if error.code == .exists { lost.withLock { $0 += 1 } }
            }
        }
        #expect(won.withLock { $0 } == 1)
        #expect(lost.withLock { $0 } == 7)
        #expect(try store.users().count == 1)
        #expect(try test.events(AuditFilter(type: "user_added")).count == 1)
        #expect(try store.check() == [])
    }

    @Test func disablingCutsEverythingAndSaysSo() throws {
        let test = try TestStore()
        try test.store.maintainSigningKeys()
        try test.addUser()
        let key = try test.addKey()
        let token = try test.store.issueAccessToken(
            user: "ada@example.com", lifetime: .seconds(900), by: TestStore.cli)
        let report = try test.store.disableUser("ada@example.com", by: TestStore.cli)
        #expect(report.apiKeys == [key.key.id] && report.sessions == [token.session])
        #expect(report.blockedEmail == "ada@example.com" && report.user.disabled)
        #expect(try test.store.blocks().count == 1)
        #expect(throws: AccountsError(.refused, "")) { try test.addKey() }
        _ = try test.store.enableUser("ada@example.com", by: TestStore.cli)
        #expect(try test.store.blocks().isEmpty)
        // What was ended stays ended.
        let reader = try AccountReader(store: test.store)
        #expect(reader.read(key.secret, at: test.now).reason == .credentialRevoked)
        #expect(reader.read(token.accessToken, .bearer, at: test.now).reason == .credentialRevoked)
        #expect(reader.read(try test.addKey().secret, at: test.now).identity?.user == "ada@example.com")
    }

    @Test func enablingKeepsTheOperatorsOwnBlock() throws {
        let test = try TestStore()
        try test.addUser()
        let address = try #require(EmailAddress("ada@example.com"))
        _ = try test.store.addBlock(.email(address), by: TestStore.cli)
        _ = try test.store.disableUser("ada@example.com", by: TestStore.cli)
        _ = try test.store.enableUser("ada@example.com", by: TestStore.cli)
        #expect(try test.store.blocks().count == 1)
    }

    @Test func cuttingMoreThanOneTransactionMay() throws {
        let test = try TestStore()
        let ada = try test.addUser()
        let store = test.store
        let now = test.now
        try test.tamper { transaction in
            for index in 0..<1500 {
                let record = SessionRecord(
                    id: "s\(index)", kind: .token, userID: ada.id, epoch: 1, actor: "test", createdAt: now,
                    expiresAt: now + .seconds(60), amr: [], factors: 0)
                try store.insert(record, in: transaction)
            }
        }
        #expect(try store.disableUser(ada.id, by: TestStore.cli).sessions.count == 1500)
        #expect(try store.sessions(user: ada.id).isEmpty)
    }
}
