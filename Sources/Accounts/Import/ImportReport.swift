/// How an import goes about accounts that exist.
public struct ImportOptions: Sendable {
    /// Names, groups and passwords of accounts that exist become what the file says.
    public var updates: Bool
    /// Accounts that are not in the file are disabled, service accounts and administrators excepted; nobody where the
    /// file has lines without an e-mail address.
    public var disablesMissing: Bool
    /// Nothing is written.
    public var isDryRun: Bool

    /// All fields, named as they are.
    public init(updates: Bool = false, disablesMissing: Bool = false, isDryRun: Bool = false) {
        self.updates = updates
        self.disablesMissing = disablesMissing
        self.isDryRun = isDryRun
    }
}

/// What came of one line.
public struct ImportOutcome: Encodable, Sendable, Equatable {
    public enum Kind: String, Encodable, Sendable, CaseIterable {
        case new, changed, unchanged, disabled, skipped
    }

    /// Nil for an account that is not in the file.
    public let line: Int?
    /// User name or e-mail address; nil when the line has none.
    public let user: String?
    public let outcome: Kind
    /// Why it was skipped, or what was changed.
    public let reason: String?
}

/// What came of an import.
public struct ImportReport: Encodable, Sendable, Equatable {
    /// In the order of the file, then those that were missing in it.
    public internal(set) var outcomes: [ImportOutcome] = []
    /// Nothing was written.
    public let isDryRun: Bool

    /// How many came to this.
    public func count(_ kind: ImportOutcome.Kind) -> Int { outcomes.count { $0.outcome == kind } }

    private enum CodingKeys: String, CodingKey {
        case outcomes
        case isDryRun = "dry_run"
    }
}
