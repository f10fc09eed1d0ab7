import Core
import Cryptography
import LMDB
import Testing

@testable import Accounts

@Suite struct ResetTests {
    private let client = TestAccounts.client

    @Test func aResetEndsEverythingAndTakesTheLinkBesidesThePassword() async throws {
        let accounts = try TestAccounts()
        let required = accounts.operations { $0.secondFactorIsRequired = true }
        let (_, codes, principal) = try await accounts.enrolled(accounts.operations())
        let reset = try accounts.store.resetFactors(
            of: "ada@example.com", reason: "lost", printsLink: true, by: TestStore.cli)
        #expect(reset.removed == ["totp", "backup-codes"] && reset.sessions.count == 1 && !reset.isMailed)
        #expect(await refusal { _ = try required.factors(of: principal) } == .invalidToken)
        #expect(try accounts.mails().filter { $0.template == "factors_reset" }.map(\.link) == [nil])
        let event = try #require(try accounts.test.events(AuditFilter(type: "factors_reset")).first)
        #expect(event.metadata["reason"] == .string("lost") && event.userID == principal.userID)

        // The password alone sets nothing up, nor does a link of somebody else or of another kind.
        let partial = try await accounts.partial(required)
        #expect(partial.need == .enrolment && partial.needsLink)
        let bert = try accounts.addPerson("bert@example.com")
        let berts = try accounts.store.resetFactors(of: bert.id, printsLink: true, by: TestStore.cli)
        let unlock = try accounts.store.createLink(.unlock, for: "ada@example.com", by: TestStore.cli)
        for link in [nil, "", "\0", codes[0], token(berts.link), token(unlock.url)] {
            #expect(
                await refusal { _ = try await required.setUpTOTP(partial, link: link, from: client) } == .refused)
        }
        // The link alone is nothing that signs in.
        let link = token(reset.link)
        #expect(
            await refusal {
                _ = try await required.signIn(
                    magicLink: link ?? "", browser: nil, as: .page(remember: false), from: client)
            } == .invalidToken)
        let setUp = try await required.setUpTOTP(partial, link: link, from: client)
        let code = try Authenticator(setUp.secret).code(at: accounts.now)
        #expect(
            await refusal { _ = try await required.finishEnrolment(partial, code: code, from: client) } == .refused)
        let (signedIn, shown) = try await required.finishEnrolment(partial, link: link, code: code, from: client)
        #expect(signedIn.secrets != nil && shown.count == 10)
        #expect(await refusal { _ = try required.look(at: link ?? "", for: [.enrolFactor]) } == .invalidToken)
    }

    /// Whoever comes in another language than the last time is written anew, but not as they were before.
    @Test func theLinkIsUsedUpByTheSignInThatSetsUpAFactor() async throws {
        let accounts = try TestAccounts()
        let required = accounts.operations { $0.secondFactorIsRequired = true }
        let (_, _, principal) = try await accounts.enrolled(accounts.operations())
        let reset = try accounts.store.resetFactors(of: "ada@example.com", printsLink: true, by: TestStore.cli)
        var german = client
        german.language = .german
        let partial = try await accounts.partial(required, from: german)
        let link = token(reset.link)
        let setUp = try await required.setUpTOTP(partial, link: link, from: german)
        let code = try Authenticator(setUp.secret).code(at: accounts.now)
        let (signedIn, _) = try await required.finishEnrolment(partial, link: link, code: code, from: german)
        let stored = try accounts.store.read { try Tables.users.get(principal.userID, in: $0) }
        let user = try #require(stored)
        #expect(user.enrolsByLink == nil && user.language == .german)
        // So that the next factor takes no link that is not there any more.
        let now = try accounts.principal(signedIn)
        #expect(
            await refusal { _ = try await required.setUpTOTP(now, showsCodes: true, from: german) } == .exists)
    }

    private func token(_ url: String?) -> String? { url?.split(separator: "/").last.map(String.init) }

    @Test func onlyWhatWasNamedGoes() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        _ = try await accounts.enrolled(operations)
        let reset = try accounts.store.resetFactors(
            of: "ada@example.com", only: [.backupCodes], printsLink: false, by: TestStore.cli)
        #expect(reset.removed == ["backup-codes"] && reset.link == nil && reset.isMailed)
        let mail = try #require(try accounts.mails().last { $0.template == "factors_reset" })
        #expect(mail.link?.contains("/.auth/enrol-factor/") == true)
        #expect(await refusal { _ = try await accounts.signIn(operations, as: .api) } == .twoFactorRequired)
        let shown = try accounts.store.factors(of: "ada@example.com")
        #expect(shown.factors.map(\.kind) == ["totp"] && shown.backupCodes == 0)
    }

    @Test func whatWasNeverProvedWasNoFactor() async throws {
        let accounts = try TestAccounts()
        let operations = accounts.operations()
        let user = try accounts.addPerson()
        let principal = try accounts.principal(try await accounts.signIn(operations))
        _ = try await operations.setUpTOTP(principal, showsCodes: true, from: client)
        let reset = try accounts.store.resetFactors(of: user.id, printsLink: true, by: TestStore.cli)
        #expect(reset.removed.isEmpty)
        let left = try accounts.store.read { try Tables.totp.get(user.id, in: $0) }
        #expect(left == nil)
    }

    @Test func nobodyAndServicesHaveNothingToReset() async throws {
        let accounts = try TestAccounts()
        try accounts.test.addUser("bot@example.com", service: true)
        let store = accounts.store
        #expect(
            await refusal {
                _ = try store.resetFactors(of: "bot@example.com", printsLink: true, by: TestStore.cli)
            } == .refused)
        #expect(
            await refusal { _ = try store.resetFactors(of: "nobody", printsLink: true, by: TestStore.cli) } == .notFound
        )
        #expect(
            await refusal {
                _ = try store.resetFactors(
                    of: "bot@example.com", reason: "a\0b", printsLink: true, by: TestStore.cli)
            } == .invalid)
    }
}
