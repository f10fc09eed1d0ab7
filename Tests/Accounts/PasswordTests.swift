import Core
import Cryptography
import Dispatch
import Synchronization
import Testing

@testable import Accounts

private func secret(_ text: String) -> SecretBytes { SecretBytes(copying: Array(text.utf8)) }

private let cheap = Argon2Parameters(memoryKiB: 64, passes: 1, lanes: 1)

private func hasher(threads: Int = 2, length: Int = 64, wait: Duration = .seconds(60)) throws -> PasswordHasher {
    try PasswordHasher(.init(threads: threads, queueLength: length, maximumWait: wait, parameters: cheap))
}

/// A gate that holds threads until it is opened, and tells how many have come to it.
private final class Latch: Sendable {
    private let gate = DispatchSemaphore(value: 0)
    private let count = Mutex(0)

    var arrived: Int { count.withLock { $0 } }

    func note() { count.withLock { $0 += 1 } }

    func open() { gate.signal() }

    func pass() {
        note()
        gate.wait()
        gate.signal()
    }
}

/// Looks until it is so, leaving the threads to others in between.
private func until(_ isSo: () -> Bool) async throws {
    while !isSo() { try await Task.sleep(for: .milliseconds(1)) }
}

@Suite struct PasswordHasherTests {
    @Test func rightAndWrong() async throws {
        let hasher = try hasher()
        defer { hasher.stop() }
        let stored = try await hasher.hash(secret("correct horse")).text
        #expect(try await hasher.verify(secret("correct horse"), against: stored) == .right(upgrade: nil))
        #expect(try await hasher.verify(secret("Correct horse"), against: stored) == .wrong)
        #expect(try await hasher.verify(secret(""), against: stored) == .wrong)
        #expect(try hasher.hashAndWait(secret("x")).text != hasher.hashAndWait(secret("x")).text)
    }

    /// Unknown users, users without a password and damaged hashes cost the run that a known user's costs.
    @Test(arguments: ["correct horse", "e\u{301}t\u{e9}", "\u{e9}t\u{e9}"])
    func lesson58_anUnknownUserCostsTheSameRuns(_ password: String) async throws {
        let hasher = try hasher()
        defer { hasher.stop() }
        let stored = try await hasher.hash(secret("another one")).text
        func runs(_ stored: String?) async throws -> UInt64 {
            let before = hasher.runs
            #expect(try await hasher.verify(secret(password), against: stored) == .wrong)
            return hasher.runs - before
        }
        let known = try await runs(stored)
        // Typed with a combining accent there is a second reading.
        #expect(known == (password.unicodeScalars.contains("\u{301}") ? 2 : 1))
        #expect(try await runs(nil) == known)
        #expect(try await runs("no hash at all") == known)
    }

    @Test func whatIsNoPasswordIsWrongWithoutARunForEverybody() async throws {
        let hasher = try hasher()
        defer { hasher.stop() }
        let stored = try await hasher.hash(secret("x")).text
        let before = hasher.runs
        let flawed = [[UInt8](repeating: 0x61, count: 1025), [0xff, 0xfe], Array("a\0b".utf8), Array("a\nb".utf8)]
        for bytes in flawed {
            for stored in [stored, nil] {
                #expect(try await hasher.verify(SecretBytes(copying: bytes), against: stored) == .wrong)
            }
            await #expect(throws: PasswordHasherError.unusable) {
                try await hasher.hash(SecretBytes(copying: bytes))
            }
        }
        #expect(hasher.runs == before)
    }

    @Test func foreignHashesAreReplacedAtTheFirstSignIn() async throws {
        let hasher = try hasher()
        defer { hasher.stop() }
        // passlib 1.7.4: apr1 of "correct horse battery staple".
        let old = "$apr1$tok7mYyD$KAOOMSX3k.mV4fsbNFDSG1"
        let before = hasher.runs
        #expect(try await hasher.verify(secret("wrong"), against: old) == .wrong)
        #expect(hasher.runs == before + 1)
        for stored in [old, try PasswordHash.make(secret("x"), parameters: .standard).text] {
            let passwords = ["correct horse battery staple", "x"]
            for password in passwords {
                guard case .right(let upgrade) = try await hasher.verify(secret(password), against: stored) else {
                    continue
                }
                let new = try #require(upgrade)
                #expect(!new.needsRehash(cheap))
                #expect(try await hasher.verify(secret(password), against: new.text) == .right(upgrade: nil))
            }
        }
    }

    /// bcrypt proved 72 bytes of a longer password; a hash of all of it would take a mistyped end for the password.
    @Test func aLongBcryptPasswordIsNotReplaced() async throws {
        let hasher = try hasher()
        defer { hasher.stop() }
        let long = String(repeating: "0123456789", count: 9)
        // bcrypt 4.0.1.
        let stored = "$2b$05$rTCXZOGCg1Ka1un8HAmt7e0PkMuzO4AwTi6gy5yj3qx.MurUs32Xq"
        #expect(try await hasher.verify(secret(long), against: stored) == .right(upgrade: nil))
        guard case .right(let upgrade) = try await hasher.verify(secret(String(long.prefix(72))), against: stored)
        else {
            Issue.record("72 bytes are the password")
            return
        }
        #expect(upgrade != nil)
    }

    /// The same characters from another keyboard are the same password.
    @Test func normalisation() async throws {
        let hasher = try hasher()
        defer { hasher.stop() }
        let stored = try await hasher.hash(secret("caf\u{e9} \u{1100}\u{1161} \u{212b}")).text
        #expect(
            try await hasher.verify(secret("cafe\u{301} \u{ac00} \u{c5}"), against: stored) == .right(upgrade: nil))
        // What another system hashed decomposed is still found.
        let foreign = try PasswordHash.make(
            secret("cafe\u{301}"), parameters: Argon2Parameters(memoryKiB: 128, passes: 1, lanes: 1))
        guard case .right(let upgrade?) = try await hasher.verify(secret("cafe\u{301}"), against: foreign.text) else {
            Issue.record("not found")
            return
        }
        #expect(try await hasher.verify(secret("caf\u{e9}"), against: upgrade.text) == .right(upgrade: nil))
    }

    /// From NormalizationTest.txt of Unicode: source, then NFC.
    @Test(
        arguments: [
            ([0x1e0a], [0x1e0a]), ([0x44, 0x307], [0x1e0a]), ([0x1e0c, 0x307], [0x1e0c, 0x307]),
            ([0x44, 0x307, 0x323], [0x1e0c, 0x307]), ([0x212b], [0xc5]), ([0x1100, 0xac00, 0x11a8], [0x1100, 0xac01]),
            ([0x958], [0x915, 0x93c]), ([0x2f868], [0x36fc]), ([0xfb01], [0xfb01]),
        ] as [([UInt32], [UInt32])])
    func compositionOfUnicode(_ source: [UInt32], _ composed: [UInt32]) throws {
        func text(_ values: [UInt32]) -> String {
            String(String.UnicodeScalarView(values.compactMap(Unicode.Scalar.init)))
        }
        let found = try PasswordText(secret(text(source))).characters.unicodeScalars.map(\.value)
        #expect(found == composed)
    }
}

@Suite struct HashQueueTests {
    @Test func theQueueIsBoundedAndSaysHowLongToStayAway() async throws {
        let queue = HashQueue(.init(threads: 1, length: 2, wait: .seconds(60)))
        let latch = Latch()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<3 {
                group.addTask {
                    try await queue.run {
                        latch.pass()
                        return number
                    }
                }
                if number == 0 { try await until { latch.arrived == 1 } }
            }
            try await until { queue.depth.waiting == 2 }
            let refused = await #expect(throws: HashQueue.Busy.self) { try await queue.run { 9 } }
            #expect((refused?.retryAfter ?? .zero) >= .seconds(1))
            latch.open()
            var sum = 0
            for try await number in group { sum += number }
            #expect(sum == 3)
        }
        #expect(try await queue.run { 7 } == 7)
        queue.stop()
    }

    @Test func aLongWaitIsRefusedBeforeItBegins() async throws {
        // A run is taken to cost 30 ms at first: with nobody waiting there is no wait, behind two it is 60 ms.
        let queue = HashQueue(.init(threads: 1, length: 100, wait: .milliseconds(40)))
        let latch = Latch()
        let first = Task { try await queue.run { latch.pass() } }
        try await until { latch.arrived == 1 }
        let others = (0..<2).map { _ in Task { try await queue.run { latch.pass() } } }
        try await until { queue.depth.waiting == 2 }
        await #expect(throws: HashQueue.Busy.self) { try await queue.run {} }
        latch.open()
        try await first.value
        for other in others { try await other.value }
        queue.stop()
    }

    @Test func whoGoesAwayIsNotWorkedFor() async throws {
        let queue = HashQueue(.init(threads: 1, length: 10, wait: .seconds(60)))
        let latch = Latch()
        let ran = Latch()
        let first = Task { try await queue.run { latch.pass() } }
        try await until { latch.arrived == 1 }
        let gone = Task { try await queue.run { ran.note() } }
        try await until { queue.depth.waiting == 1 }
        gone.cancel()
        await #expect(throws: CancellationError.self) { try await gone.value }
        #expect(queue.depth.waiting == 0)
        latch.open()
        try await first.value
        let never = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await queue.run { ran.note() }
        }
        await #expect(throws: CancellationError.self) { try await never.value }
        #expect(ran.arrived == 0)
        queue.stop()
    }

    @Test func aStopAnswersEverybody() async throws {
        let queue = HashQueue(.init(threads: 1, length: 10, wait: .seconds(60)))
        let latch = Latch()
        let first = Task { try await queue.run { latch.pass() } }
        try await until { latch.arrived == 1 }
        let second = Task { try await queue.run {} }
        try await until { queue.depth.waiting == 1 }
        let stopper = Task.detached { queue.stop() }
        await #expect(throws: HashQueue.Busy.self) { try await second.value }
        latch.open()
        try await first.value
        await stopper.value
        await #expect(throws: HashQueue.Busy.self) { try await queue.run {} }
    }

    @Test func manyAtOnceAreAllAnswered() async throws {
        let queue = HashQueue(.init(threads: 4, length: 2000, wait: .seconds(600)))
        let answers = await withTaskGroup(of: Int?.self) { group in
            for number in 0..<1000 { group.addTask { try? await queue.run { number } } }
            var answers: Set<Int> = []
            for await number in group { if let number { answers.insert(number) } }
            return answers
        }
        #expect(answers == Set(0..<1000))
        // An answer is there a moment before its place is free again.
        try await until { queue.depth == (0, 0) }
        queue.stop()
    }
}

@Suite struct PasswordPolicyTests {
    private let person = PasswordPolicy.Person(
        email: "mary.major@example.com", username: "mmajor", name: "Mary Major",
        site: ["Wikipage", "auth.example.com"])

    @Test(arguments: [
        "correct horse battery staple", "k7m-Zq2!vR9x", "Gelber Regenschirm tanzt", "пароль на каждый день",
        "北京的冬天很冷而且風很大而且下雪", "        a b c d e f", "Tr0ub4dor&3xy", "mary bought seven lemons",
        "new-password-123", "test-password-1", "my-new-password", "mary-password-1", "admin-password-1",
        "whatever new password", "changed password", "old-password-123", "hunter2hunter2", "482915730264",
        "?}:{<;[~/)=%", "🦊🐢🦉🐙🐝🐞🦋🐌🐛🦂🐜🕷", "example-password-1", "password-mary.major-wiki",
    ]) func accepted(_ password: String) {
        #expect(PasswordPolicy().problem(with: secret(password), of: person) == nil)
    }

    @Test(arguments: [
        "password1234", "P@ssw0rd2024!", "qwertzuiop123", "aaaaaaaaaaaa", "abcdefghijkl", "123456789012",
        "987654321098", "abcabcabcabc", "letmeinletmein", "Sommer2026!!", "iloveyou12345", "passwordpassword",
        "1qaz2wsx3edc", "Willkommen2026", "xxxxxxyyyyyyzzzz", "admin123admin123", "k7mk7mk7mk7m",
        "Password123!", "P@ssw0rd1234", "Password1234", "qwertyuiop12", "qwerasdfzxcv",
        "!@#$%^&*()_+", "------------", "password-----", "🦊🦊🦊🦊🦊🦊🦊🦊🦊🦊🦊🦊", "secret-password",
    ]) func tooSimple(_ password: String) {
        #expect(PasswordPolicy().problem(with: secret(password), of: person) == .tooSimple)
    }

    @Test(arguments: [
        "mary.major@example.com", "MaryMajor2026", "mmajormmajor", "wikipage1234", "M4ry.M4j0r!!!", "auth.example.com",
        "mary-major-99", "Mary Major 1984", "mmajor-wikipage-1", "mary.major@example.com1",
    ]) func aboutTheUser(_ password: String) {
        #expect(PasswordPolicy().problem(with: secret(password), of: person) == .aboutYou)
    }

    @Test func lengthIsCountedInCharacters() {
        let policy = PasswordPolicy(minimumLength: 8)
        #expect(policy.problem(with: secret("k7mZq2v")) == .tooShort)
        #expect(policy.problem(with: secret("k7mZq2vR")) == nil)
        #expect(policy.problem(with: secret("密码很长很好")) == .tooShort)
        #expect(policy.problem(with: secret("")) == .tooShort)
        let long = (0..<256).map { "k7m\($0 % 10)" }.joined()
        #expect(PasswordPolicy().problem(with: secret(long)) == nil)
        #expect(PasswordPolicy().problem(with: secret(long + "x")) == .tooLong)
        #expect(PasswordPolicy().problem(with: SecretBytes(copying: [0xff, 0xfe, 0xfd])) == .notText)
        #expect(PasswordPolicy().problem(with: secret("k7mZq2vR\0k7mZq2vR")) == .controlCharacter)
    }
}
