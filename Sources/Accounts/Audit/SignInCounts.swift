internal import Synchronization

/// How often people signed in, or tried to, since this process began: by the same events that the audit log gets, and one
/// by one where a limit refused them, of which the log is told together. The words are those of this program and the ids
/// of configured providers, so that there are only so many.
final class SignInCounts: Sendable {
    private let counts = Mutex<[SignInCount.Labels: UInt64]>([:])
    /// More rows than all words can make with a hundred providers; what is beyond is one row.
    private static let maximumRows = 4096

    /// Counts an event of the type `sign_in`; no other.
    func note(_ event: NewAuditEvent) {
        // What a limit refused was counted when it did.
        guard event.type == .signIn, event.metadata["limit"] == nil else { return }
        var labels = SignInCount.Labels(method: "other", success: event.success, reason: "")
        if case .string(let method)? = event.metadata["method"] { labels.method = method }
        if !event.success {
            labels.reason = event.reason ?? ""
            // What a provider was refused for says more than that it was.
            if case .string(let error)? = event.metadata["error"] { labels.reason = error }
            if labels.method == "oauth", case .string(let provider)? = event.metadata["provider"] {
                labels.method = "oauth:\(provider)"
            }
        }
        count(labels)
    }

    /// Counts one that a limit refused.
    func noteLimited(_ method: String) {
        count(SignInCount.Labels(method: method, success: false, reason: "rate_limited"))
    }

    private func count(_ labels: SignInCount.Labels) {
        var labels = labels
        counts.withLock { counts in
            if counts[labels] == nil, counts.count >= Self.maximumRows {
                labels = SignInCount.Labels(method: "other", success: labels.success, reason: "")
            }
            counts[labels, default: 0] &+= 1
        }
    }

    var all: [SignInCount] {
        counts.withLock { $0 }.map { SignInCount(labels: $0.key, count: $0.value) }
            .sorted { ($0.labels.method, $0.labels.reason, $0.count) < ($1.labels.method, $1.labels.reason, $1.count) }
    }
}

/// One row of `gatehouse_sign_ins_total`.
public struct SignInCount: Sendable, Equatable {
    /// What is counted apart.
    public struct Labels: Sendable, Hashable {
        /// `password`, `magic_link`, `passkey`, `oauth:ID`, …
        public var method: String
        public var success: Bool
        /// Why not; empty where it succeeded.
        public var reason: String
    }

    public let labels: Labels
    public let count: UInt64
}

extension Store {
    /// The sign-ins of this process, by method, outcome and reason.
    public var signInCounts: [SignInCount] { signIns.all }
}

extension RateLimiter {
    /// The sign-ins of this process that its limits refused.
    public var signInCounts: [SignInCount] { signIns.all }
}
