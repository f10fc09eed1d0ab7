public import Core
internal import Cryptography
public import Logging

/// Asks a service that keeps lists of published passwords, without telling it the password: it is sent the first five
/// of forty digits of the SHA-1 (k-anonymity), and answers with all the endings that it knows for them.
///
/// A service that cannot be reached or does not answer as it should keeps nobody from setting a password.
public struct BreachCheck: Sendable {
    private static let timeout: Duration = .seconds(3)
    private static let maximumBytes = 1 << 20

    private let base: String
    private let fetcher: any HTTPFetching
    private let log: Logger

    /// - Parameter base: `login.password.breach_check`, like `https://api.pwnedpasswords.com/range`.
    public init(_ base: String, fetcher: any HTTPFetching, log: Logger) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.fetcher = fetcher
        self.log = log
    }

    /// Whether the password is on the lists, as far as can be told.
    public func isBreached(_ password: SecretBytes) async -> Bool {
        do {
            let digits = try SHA1.hex(try PasswordText(password).bytes)
            let response = try await fetcher.fetch(
                FetchRequest(
                    url: "\(base)/\(digits.prefix(5))", headers: [("Add-Padding", "true")], timeout: Self.timeout,
                    maximumBodyBytes: Self.maximumBytes))
            guard response.status == 200, let endings = Self.endings(response.body) else {
                log.warning(
                    "the breach check answered something else than a list; the password is taken",
                    metadata: ["status": "\(response.status)"])
                return false
            }
            return endings.contains(String(digits.dropFirst(5)))
        } catch is PasswordText.Flaw {
            return false
        } catch {
            log.warning(
                "the breach check cannot be reached; the password is taken", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// `ENDING:COUNT` in each line; a count of zero is padding. Nil when a line is anything else.
    static func endings(_ body: [UInt8]) -> Set<String>? {
        var result: Set<String> = []
        for line in body.split(separator: UInt8(ascii: "\n")) {
            let bytes = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].count == 35, (1...12).contains(parts[1].count),
                parts[0].allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }),
                parts[1].allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
            if parts[1].contains(where: { $0 != 0x30 }) { result.insert(String(decoding: parts[0], as: UTF8.self)) }
        }
        return result
    }
}
