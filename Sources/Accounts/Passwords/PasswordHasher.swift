public import Core
public import Cryptography
internal import Synchronization

/// What a password check found.
public enum PasswordVerdict: Sendable, Equatable {
    /// It is not the password; also for an unknown user and one without a password.
    case wrong
    /// It is. With `upgrade`, store its text in place of the old hash, if that is still the one that was checked.
    case right(upgrade: PasswordHash?)
}

/// Why no hash was made or checked. None of these says anything about the password.
public enum PasswordHasherError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Too many wait already: 429 with `Retry-After`.
    case busy(retryAfter: Duration)
    /// The bytes are no password: longer than 1024 bytes, no UTF-8, or with control characters.
    case unusable
    /// No memory, or no random bytes.
    case failed(CryptographyError)

    public var description: String {
        switch self {
        case .busy(let wait): "too many passwords wait to be checked; again in \(wait.components.seconds) s"
        case .unusable: "this is no password: at most 1024 bytes of text without control characters"
        case .failed(let error): "\(error)"
        }
    }
}

/// The one place where passwords are hashed and checked. One a process.
///
/// A run costs 19 MiB and tens of milliseconds, so runs are bounded in number (threads at nice 19: they take what
/// checks and pages leave) and those who wait in time and number. Networks of clients take turns. Memory is bounded by
/// the threads, since who waits holds a password and little else: a hash of another system that needs more than 64 MiB
/// runs alone.
public final class PasswordHasher: Sendable {
    /// The bounds.
    public struct Configuration: Sendable {
        /// How many run at once.
        public var threads: Int
        /// How many may wait.
        public var queueLength: Int
        /// How long the last of them may have to wait.
        public var maximumWait: Duration
        /// What new hashes cost.
        public var parameters: Argon2Parameters

        /// One thread, five seconds, 512 waiting, OWASP's parameters unless said otherwise.
        ///
        /// Time is what bounds who waits: at 30 ms a run some 170 do, who all get in, and whose clients are still there
        /// by then. The length bounds memory alone.
        public init(
            threads: Int = 1, queueLength: Int = 512, maximumWait: Duration = .seconds(5),
            parameters: Argon2Parameters = .standard
        ) {
            self.threads = max(1, threads)
            self.queueLength = queueLength
            self.maximumWait = maximumWait
            self.parameters = parameters
        }
    }

    private static let largeMemory = 64 << 20

    let queue: HashQueue
    private let parameters: Argon2Parameters
    /// Checked where there is nothing to check, so that an unknown user costs what a known one costs (lesson 58).
    private let dummy: PasswordHash
    private let counter = Atomic<UInt64>(0)
    private let large = Mutex(())

    /// Makes the dummy hash, which is one run on the calling thread.
    ///
    /// - Throws: `library` or `randomUnavailable`.
    public init(_ configuration: Configuration = Configuration()) throws(CryptographyError) {
        parameters = configuration.parameters
        dummy = try PasswordHash.make(SecureRandom.secret(32), parameters: configuration.parameters)
        queue = HashQueue(
            HashQueue.Limits(
                threads: configuration.threads, length: configuration.queueLength, wait: configuration.maximumWait))
    }

    /// How many runs there were.
    public var runs: UInt64 { counter.load(ordering: .relaxed) }

    /// How many wait for a run, for a metric.
    public var waiting: Int { queue.depth.waiting }

    /// A new hash.
    ///
    /// - Parameters:
    ///   - password: UTF-8 as typed.
    ///   - place: the network of whoever waits for it; networks take turns.
    /// - Throws: ``PasswordHasherError`` or `CancellationError`.
    public func hash(_ password: SecretBytes, for place: String = "") async throws -> PasswordHash {
        let text = try Self.text(password)
        return try await perform(for: place) { try self.make(text) }
    }

    /// As ``hash(_:)``, on the calling thread, for the command line.
    public func hashAndWait(_ password: SecretBytes) throws(PasswordHasherError) -> PasswordHash {
        try make(try Self.text(password))
    }

    /// Checks a password; one run, whatever comes of it (two when it was not typed in normalisation form C), and one
    /// more when the hash is to be replaced. What is no password at all is wrong without a run, for every user alike.
    ///
    /// - Parameters:
    ///   - password: UTF-8 as typed.
    ///   - stored: the hash as it is stored; nil where there is no such user or the user has no password.
    ///   - place: the network of whoever waits for it; networks take turns.
    /// - Throws: ``PasswordHasherError`` or `CancellationError`: the password was not checked then, and nothing may
    ///   be concluded or counted.
    public func verify(
        _ password: SecretBytes, against stored: String?, for place: String = ""
    ) async throws -> PasswordVerdict {
        guard let text = try? PasswordText(password) else { return .wrong }
        // A stored hash was parsed before it was stored; one that cannot be read any more matches nothing.
        let hash = stored.flatMap { try? PasswordHash.parse($0) }
        return try await perform(for: place) { try self.check(text, hash) }
    }

    /// Refuses those who wait and ends the threads.
    public func stop() {
        queue.stop()
    }

    private func check(_ text: PasswordText, _ hash: PasswordHash?) throws -> PasswordVerdict {
        let isRight = try verify(text.bytes, hash ?? dummy)
        // Other systems hash the bytes as they come. Whether there is a second reading depends on what was typed alone.
        let isRightAsTyped = try !isRight && text.differsFromTyped && verify(text.typed, hash ?? dummy)
        guard let hash, isRight || isRightAsTyped else { return .wrong }
        guard hash.needsRehash(parameters), text.typed.count <= hash.significantBytes ?? .max else {
            return .right(upgrade: nil)
        }
        return .right(upgrade: try make(text))
    }

    private func verify(_ password: SecretBytes, _ hash: PasswordHash) throws(PasswordHasherError) -> Bool {
        counter.add(1, ordering: .relaxed)
        do throws(CryptographyError) {
            guard hash.memoryBytes > Self.largeMemory else { return try hash.verify(password) }
            return try large.withLock { _ throws(CryptographyError) in try hash.verify(password) }
        } catch {
            throw .failed(error)
        }
    }

    private func make(_ text: PasswordText) throws(PasswordHasherError) -> PasswordHash {
        counter.add(1, ordering: .relaxed)
        do throws(CryptographyError) {
            return try PasswordHash.make(text.bytes, parameters: parameters)
        } catch {
            throw .failed(error)
        }
    }

    private func perform<Value: Sendable>(
        for place: String, _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        do {
            return try await queue.run(for: place, work)
        } catch let busy as HashQueue.Busy {
            throw PasswordHasherError.busy(retryAfter: busy.retryAfter)
        }
    }

    private static func text(_ password: SecretBytes) throws(PasswordHasherError) -> PasswordText {
        do throws(PasswordText.Flaw) {
            return try PasswordText(password)
        } catch {
            throw .unusable
        }
    }
}
