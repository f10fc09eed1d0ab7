/// What ``Store/verifyAudit(checkpoint:)`` found.
public struct AuditVerification: Encodable, Sendable, Equatable {
    /// How many events were read.
    public internal(set) var checked: UInt64 = 0
    /// The first one that is still there; 0 when there is none.
    public internal(set) var first: UInt64 = 0
    /// The last one that should be there.
    public internal(set) var last: UInt64 = 0
    /// The end was vouched for by a seal that this process could verify.
    public internal(set) var isSealed = false
    /// Events behind the last seal: appended by a command that had no audit key, and vouched for by the chain only.
    public internal(set) var unsealed: UInt64 = 0
    /// What is wrong with the first event that is; nil when all is well.
    public internal(set) var problem: AuditProblem?

    private enum CodingKeys: String, CodingKey {
        case checked, first, last, unsealed, problem
        case isSealed = "sealed"
    }
}

/// What is wrong with an event.
public struct AuditProblem: Encodable, Sendable, Equatable {
    /// The kinds of tampering (or damage) that are told apart.
    public enum Kind: String, Encodable, Sendable {
        /// The event's bytes are not those that the next event, the head or the checkpoint names.
        case changed
        /// There is no event of that sequence, and there are later ones.
        case missing
        /// The event of another sequence stands in its place.
        case reordered
        /// The log ends before the event that the head or the checkpoint names.
        case cut
        /// There are events behind the one that the head names.
        case added
        /// The head or its seal was changed or taken away.
        case head
    }

    /// The first bad event.
    public let sequence: UInt64
    public let kind: Kind
    /// For people.
    public let message: String
}
