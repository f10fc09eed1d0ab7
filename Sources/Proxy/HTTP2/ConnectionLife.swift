/// The life of one HTTP/2 connection beside its streams, without bytes.
///
/// ```
///  opening ── SETTINGS ─► serving ── stop, idle ─► announced ── PING's answer, patience ─► leaving ── no stream ─► closed
///     └───────────────────────┴──────────────────────┴── an error of the connection ─► failed ── goodbye ─► closed
/// ```
struct ConnectionLife: Equatable {
    enum State: Equatable {
        /// The client's SETTINGS have not come. Exits: `began`, `stop`, `inputEnded`, `failed`.
        case opening
        /// Exits: `stop`, `idled`, `inputEnded`, `failed`.
        case serving
        /// The client knows that we go; what it sent before it knew is still taken. Exits: `answered`, `inputEnded`,
        /// `failed`.
        case announced
        /// No further stream is taken. Exits: `streamEnded`, `failed`.
        case leaving
        /// We said what was wrong; the client may read that before the connection goes. Exits: `inputEnded`.
        case failed
        /// No exits.
        case closed
    }

    /// What a handler has to do next.
    enum Action: Equatable {
        case none
        /// GOAWAY for streams that nobody can have, and a PING whose answer comes behind all that was on its way
        /// (RFC 9113 section 6.8).
        case announce
        /// GOAWAY with the last stream that was taken.
        case sayLast
        /// The same, then close.
        case sayLastAndClose
        case close
        /// Drop the streams, end our side, and wait a moment for the client's goodbye.
        case sayGoodbye
    }

    private(set) var state = State.opening
    private(set) var streams = 0

    /// The client has sent its SETTINGS.
    mutating func began() {
        if state == .opening { state = .serving }
    }

    mutating func streamOpened() {
        streams += 1
    }

    mutating func streamEnded() -> Action {
        streams = max(0, streams - 1)
        guard state == .leaving, streams == 0 else { return .none }
        state = .closed
        return .close
    }

    /// The server stops.
    mutating func stop() -> Action {
        switch state {
        case .opening, .serving:
            state = .announced
            return .announce
        case .announced, .leaving, .failed, .closed: return .none
        }
    }

    /// What the client sent before it knew that we go has come, or it has had its time.
    mutating func answered() -> Action {
        guard state == .announced else { return .none }
        guard streams > 0 else {
            state = .closed
            return .sayLastAndClose
        }
        state = .leaving
        return .sayLast
    }

    /// There has been no stream for as long as a connection is kept.
    mutating func idled() -> Action {
        switch state {
        case .opening, .serving, .announced:
            guard streams == 0 else { return .none }
            state = .closed
            return .sayLastAndClose
        case .leaving, .failed, .closed: return .none
        }
    }

    /// The client has sent its last byte; what it asked for is still answered.
    mutating func inputEnded() -> Action {
        switch state {
        case .opening, .serving, .announced:
            guard streams > 0 else {
                state = .closed
                return .close
            }
            state = .leaving
            return .sayLast
        case .failed:
            state = .closed
            return .close
        case .leaving, .closed: return .none
        }
    }

    /// GOAWAY with an error is on its way.
    mutating func failed() -> Action {
        switch state {
        case .opening, .serving, .announced, .leaving:
            state = .failed
            return .sayGoodbye
        case .failed, .closed: return .none
        }
    }

    mutating func closed() {
        state = .closed
    }
}
