/// What the checks of one server have found. Without clock or threads.
///
/// Unknown counts as well: a server that was never asked is used.
struct CheckedHealth: Equatable {
    enum Change: Equatable {
        case none, fellIll, recovered
    }

    /// So many checks in a row have to fail; one that succeeds is enough to come back.
    static let patience = 2

    private(set) var isWell = true
    private var failures = 0

    mutating func note(isWell passed: Bool) -> Change {
        guard !passed else {
            failures = 0
            defer { isWell = true }
            return isWell ? .none : .recovered
        }
        failures += 1
        guard isWell, failures >= Self.patience else { return .none }
        isWell = false
        return .fellIll
    }
}
