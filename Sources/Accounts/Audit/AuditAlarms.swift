internal import Synchronization

/// What was found while something was appended, until somebody says it.
final class AuditAlarms: Sendable {
    private static let most = 100
    private let found = Mutex<[String]>([])

    func add(_ text: String) {
        found.withLock { if $0.count < Self.most { $0.append(text) } }
    }

    func take() -> [String] {
        found.withLock { found in
            defer { found = [] }
            return found
        }
    }
}
