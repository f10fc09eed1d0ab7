/// The life of one connection to an upstream, without bytes.
///
/// ```
///  idle ── begin ─► awaiting ─┬─ final head ─► streaming ── end ─► idle | closed
///                             └─ 101 ─► tunnelling
///    └── anything else that happens: closed
/// ```
struct UpstreamExchange: Equatable {
    enum State: Equatable {
        /// In the pool. Exits: `begin`; a byte or the end of the connection closes it.
        case idle
        /// A request is on its way, no final head yet. Exits: `finalHead`, `switched`, `failed`.
        case awaiting(sawBytes: Bool)
        /// The body of the answer. Exits: `ended`, `failed`.
        case streaming
        /// Another protocol: bytes go on as they come. Exits: `failed`.
        case tunnelling
        /// No exits.
        case closed
    }

    private(set) var state = State.idle
    /// It has carried a whole exchange before: only then may the server have closed it just as we wrote.
    private(set) var isReused: Bool

    init(isReused: Bool = false) {
        self.isReused = isReused
    }

    /// A request is on its way and no final head has come.
    var isAwaitingAnswer: Bool {
        switch state {
        case .awaiting: true
        case .idle, .streaming, .tunnelling, .closed: false
        }
    }

    mutating func begin() {
        guard state == .idle else { return }
        state = .awaiting(sawBytes: false)
    }

    /// Bytes came.
    ///
    /// - Returns: false when nobody asked for them.
    mutating func received() -> Bool {
        switch state {
        case .idle:
            state = .closed
            return false
        case .awaiting:
            state = .awaiting(sawBytes: true)
            return true
        case .streaming, .tunnelling: return true
        case .closed: return false
        }
    }

    mutating func finalHead() {
        if case .awaiting = state { state = .streaming }
    }

    /// The server has switched to the protocol that was asked for.
    mutating func switched() {
        if case .awaiting = state { state = .tunnelling }
    }

    /// The answer is complete.
    ///
    /// - Returns: whether the connection can be used again.
    mutating func ended(keepAlive: Bool, requestEnded: Bool, leftOver: Bool) -> Bool {
        guard state == .streaming, keepAlive, requestEnded, !leftOver else {
            state = .closed
            return false
        }
        state = .idle
        isReused = true
        return true
    }

    /// The connection ended or has to.
    ///
    /// - Parameter isUnsent: the server has not begun to do anything about the request.
    /// - Returns: whether the request may be sent again elsewhere, as far as this connection is concerned. One that does not
    ///   answer in time may be at work on it.
    @discardableResult
    mutating func failed(_ kind: UpstreamFailure = .closed, isUnsent: Bool = false) -> UpstreamRetry {
        defer { state = .closed }
        switch state {
        case .awaiting(sawBytes: false):
            if isUnsent { return .always }
            return kind == .closed && isReused ? .whenIdempotent : .never
        case .idle, .awaiting(sawBytes: true), .streaming, .tunnelling, .closed: return .never
        }
    }
}
