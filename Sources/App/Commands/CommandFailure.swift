internal import Accounts
internal import Glibc
internal import LMDB
internal import Proxy
internal import Settings

/// How a command ends when it does not end well: a code of the contract and a sentence for the person at the terminal.
public struct CommandFailure: Error, Sendable, Equatable {
    /// Exit codes, the same for every command.
    public enum Status: Int32, Sendable {
        /// Refused, or tried and failed.
        case failed = 1
        /// Wrong usage or configuration.
        case usage = 2
        case notFound = 3
        case exists = 4
    }

    /// The exit code.
    public let status: Status
    /// What went wrong and how to mend it; may have several lines.
    public let message: String
    /// Each line begins with the place that it is about, as editors and tools read it (`FILE:LINE:COLUMN: …`).
    let isPlaced: Bool

    /// - Parameter message: for people; holds no secret. Empty when everything was said already.
    public init(_ status: Status, _ message: String) {
        self.init(status, message, isPlaced: false)
    }

    private init(_ status: Status, _ message: String, isPlaced: Bool) {
        self.status = status
        self.message = message
        self.isPlaced = isPlaced
    }

    /// The failure that an error of any room means on the command line.
    ///
    /// - Returns: nil for errors that are not ours (the argument parser's own).
    public init?(reporting error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        // What a command did with a row of the store, like writing it out.
        case let error as AccountsError where error.cause is CommandFailure:
            guard let failure = error.cause as? CommandFailure else { return nil }
            self = failure
        case let error as AccountsError: self.init(Self.status(of: error.code), "\(error)")
        case let error as LMDBError: self.init(.failed, "\(error)")
        case let error as ProxyError: self.init(.failed, error.message)
        case let error as SettingsError: self.init(.usage, error.description, isPlaced: true)
        default: return nil
        }
    }

    /// The failure of a word where the name of a command is needed.
    ///
    /// - Parameters:
    ///   - commands: what may stand there.
    ///   - group: the words before it, `gatehouse user`.
    public init(unknown word: String, in group: String, among commands: [String]) {
        self.init(
            .usage,
            "there is no command `\(group) \(word)`\(Nearest.suggestion(for: word, among: commands)); there are: "
                + commands.joined(separator: ", "))
    }

    private static func status(of code: AccountsError.Code) -> Status {
        switch code {
        case .notFound: .notFound
        case .exists: .exists
        default: .failed
        }
    }

    /// Prints the message to standard error and ends the process with the code.
    public func endProcess() -> Never {
        if !message.isEmpty { Output.standardError((isPlaced ? "" : "gatehouse: ") + message + "\n") }
        exit(status.rawValue)
    }
}
