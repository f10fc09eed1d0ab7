import Core
import Testing

@testable import Accounts

@Suite struct StandingTests {
    static func foreign(
        subject: String = "42", user: String = "corp:42", email: String? = "ada@example.com", verified: Bool = true,
        groups: [String] = ["corp:dev"], scopes: [String]? = nil, id: String = "token-1",
        matching: ForeignIdentity.Matching = .none
    ) -> ForeignIdentity {
        ForeignIdentity(
            issuerID: "corp", issuer: "https://idp.example.com", subject: subject, user: user,
            email: email.flatMap { EmailAddress($0) }, emailVerified: verified, name: "Ada", groups: groups,
            scopes: scopes, amr: ["pwd"], authenticatedAt: nil,
            expiresAt: Timestamp(milliseconds: 1_800_000_000_000) + .seconds(600), credentialID: id,
            matching: matching)
    }

    @Test func aForeignIdentityStaysOne() throws {
        let test = try TestStore()
        try test.addUser()
        let standing = try LocalStanding(store: test.store)
        let foreign = Self.foreign(groups: ["corp:dev", "gatehouse-admins", "bad group"], scopes: ["a"])
        let identity = try #require(standing.standing(of: foreign, at: test.now).identity)
        #expect(identity.kind == .jwt && identity.subject == "corp:42" && identity.user == "corp:42")
        #expect(identity.groups == ["corp:dev"] && identity.scopes == ["a"] && identity.issuer == "corp")
        #expect(identity.email == "ada@example.com" && identity.amr == ["pwd"] && identity.factors == 0)
        #expect(standing.standing(of: foreign, at: test.now).identity === identity)
        #expect(standing.standing(of: foreign, at: test.now + .seconds(599)).identity === identity)
        #expect(standing.standing(of: foreign, at: test.now + .seconds(600)).reason == .credentialExpired)
        let unverified = Self.foreign(verified: false, id: "token-2")
        #expect(standing.standing(of: unverified, at: test.now).identity?.email == nil)
    }

    @Test func matchedIsTheLocalAccountWithItsGroups() throws {
        let test = try TestStore()
        let ada = try test.addUser("ada@example.com", username: "ada", groups: ["staff"])
        let standing = try LocalStanding(store: test.store)
        let byEmail = try #require(standing.standing(of: Self.foreign(matching: .email), at: test.now).identity)
        #expect(byEmail.subject == ada.id && byEmail.user == "ada" && byEmail.groups == ["staff"])
        #expect(byEmail.kind == .jwt && byEmail.issuer == "corp")
        // An address that nobody vouches for matches nobody.
        let unverified = Self.foreign(verified: false, id: "2", matching: .email)
        #expect(standing.standing(of: unverified, at: test.now).identity?.user == "corp:42")
        // The claim is the name; the prefix is for those who are not matched.
        let byName = Self.foreign(subject: "ADA", user: "corp:ADA", email: nil, id: "3", matching: .user)
        #expect(standing.standing(of: byName, at: test.now).identity?.subject == ada.id)
        _ = try test.store.setGroups("ada", to: ["admins"], by: TestStore.cli)
        #expect(standing.standing(of: byName, at: test.now).identity?.groups == ["admins"])
        _ = try test.store.renameUser("ada", to: "countess", by: TestStore.cli)
        #expect(standing.standing(of: byName, at: test.now).identity?.subject == "corp:ADA")
        let renamed = Self.foreign(subject: "countess", user: "corp:countess", email: nil, id: "4", matching: .user)
        #expect(standing.standing(of: renamed, at: test.now).identity?.groups == ["admins"])
        _ = try test.store.disableUser("countess", by: TestStore.cli)
        #expect(standing.standing(of: renamed, at: test.now).reason == .userDisabled)
        #expect(standing.standing(of: Self.foreign(matching: .email), at: test.now).reason == .userDisabled)
    }

    /// Its last letter is the Kelvin sign, which is `k` in lower case: somebody else at the issuer.
    @Test func aNameThatIsOnlyAlikeInLowerCaseIsMatchedWithNobody() throws {
        let test = try TestStore()
        let mark = try test.addUser("mark@example.com", username: "mark", groups: ["admins"])
        let standing = try LocalStanding(store: test.store)
        let other = Self.foreign(subject: "mar\u{212a}", user: "corp:mar\u{212a}", id: "1", matching: .user)
        let identity = try #require(standing.standing(of: other, at: test.now).identity)
        #expect(identity.user == "corp:mar\u{212a}" && identity.subject != mark.id)
        #expect(!identity.groups.contains("admins"))
    }

    @Test func anAccountMadeLaterIsMatchedFromThenOn() throws {
        let test = try TestStore()
        let standing = try LocalStanding(store: test.store)
        let foreign = Self.foreign(matching: .email)
        #expect(standing.standing(of: foreign, at: test.now).identity?.user == "corp:42")
        try test.addUser("ada@example.com", username: "ada")
        #expect(standing.standing(of: foreign, at: test.now).identity?.user == "ada")
        try test.addUser("bot@example.com", username: "bot", service: true)
        let bot = Self.foreign(email: "bot@example.com", id: "4", matching: .email)
        #expect(standing.standing(of: bot, at: test.now).identity?.user == "corp:42")
    }

    @Test func lesson10_30_blocksByAddressAndBySubject() throws {
        let test = try TestStore()
        let standing = try LocalStanding(store: test.store)
        let foreign = Self.foreign()
        #expect(standing.standing(of: foreign, at: test.now).identity != nil)
        let subject = BlockSubject.subject(issuer: "https://idp.example.com", subject: "42")
        _ = try test.store.addBlock(subject, by: TestStore.cli)
        #expect(standing.standing(of: foreign, at: test.now).reason == .userDisabled)
        #expect(standing.standing(of: Self.foreign(subject: "43", id: "5"), at: test.now).identity != nil)
        _ = try test.store.removeBlock(subject, by: TestStore.cli)
        let address = BlockSubject.email(try #require(EmailAddress("Ada@example.com")))
        _ = try test.store.addBlock(address, by: TestStore.cli)
        #expect(standing.standing(of: foreign, at: test.now).reason == .userDisabled)
        // Who does not say that it is verified is not let in for that.
        #expect(standing.standing(of: Self.foreign(verified: false, id: "6"), at: test.now).reason == .userDisabled)
        #expect(standing.standing(of: Self.foreign(email: "b@example.com", id: "7"), at: test.now).identity != nil)
        #expect(standing.standing(of: Self.foreign(email: nil, id: "8"), at: test.now).identity != nil)
        #expect(throws: AccountsError(.invalid, "")) {
            try test.store.addBlock(.subject(issuer: "", subject: "x"), by: TestStore.cli)
        }
    }

    @Test func aSecondTokenUnderTheSameNameGetsItsOwnIdentity() throws {
        let test = try TestStore()
        for capacity in [0, 1, 16] {
            let standing = try LocalStanding(store: test.store, cacheEntries: capacity)
            for round in 0..<4 {
                let foreign = Self.foreign(subject: "\(round % 2)", user: "corp:\(round % 2)", id: "same")
                #expect(standing.standing(of: foreign, at: test.now).identity?.user == "corp:\(round % 2)")
            }
        }
    }

    @Test func aStormOfWritesDoesNotMakeItDecode() throws {
        let test = try TestStore()
        try test.addUser()
        let standing = try LocalStanding(store: test.store)
        let foreign = Self.foreign(matching: .email)
        let identity = try #require(standing.standing(of: foreign, at: test.now).identity)
        for index in 0..<20 {
            try test.addUser("user\(index)@example.com")
            #expect(standing.standing(of: foreign, at: test.now).identity === identity)
        }
        #expect(standing.decodes == 1)
    }
}
