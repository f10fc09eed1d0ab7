internal import Core

/// Refreshes at one provider: few at once, the others in line, and none at all for a while after it was not there; pure.
struct RefreshLane {
    enum Entry: Equatable {
        case begins, waits
    }

    enum Exit: Equatable {
        case nothing
        /// This one is next.
        case begins(String)
        /// These stood in line for a provider that is not there.
        case sentAway([String])
        /// There is nothing more to remember of the provider.
        case idle
    }

    /// How many may stand in line.
    static let maximumQueue = 64

    let width: Int
    private(set) var underWay = 0
    private(set) var queue: [String] = []
    private(set) var pause = RefreshPause(longest: RefreshPause.longestOfProvider)

    init(width: Int) { self.width = width }

    /// - Returns: nil: not now.
    mutating func enter(_ session: String, at now: Timestamp) -> Entry? {
        guard !pause.holds(at: now) else { return nil }
        if underWay < width {
            underWay += 1
            return .begins
        }
        guard queue.count < Self.maximumQueue else { return nil }
        queue.append(session)
        return .waits
    }

    /// One that was under way has ended.
    ///
    /// - Parameter wasThere: the provider has answered, whatever it said.
    mutating func leave(wasThere: Bool, at now: Timestamp) -> Exit {
        underWay -= 1
        if wasThere {
            pause = RefreshPause(longest: RefreshPause.longestOfProvider)
        } else if !pause.holds(at: now) {
            // Several that hang at the same time are one failure.
            pause.failed(at: now)
        }
        if !wasThere {
            let away = clear()
            return away.isEmpty ? .nothing : .sentAway(away)
        }
        if !queue.isEmpty {
            underWay += 1
            return .begins(queue.removeFirst())
        }
        return underWay == 0 ? .idle : .nothing
    }

    /// - Returns: who stood in line.
    mutating func clear() -> [String] {
        defer { queue = [] }
        return queue
    }
}
