/// The client's half of one stream, without bytes: what its frames come to. It lets exactly one head through, and of
/// the body exactly as much as the head announced, so that nothing behind it can be taken for another request.
///
/// ```
///  idle ── head ──► body ── END_STREAM ──► ended
///    └────────────────┴── anything malformed ──► refused
/// ```
struct RequestStream: Equatable {
    enum State: Equatable {
        /// No head yet. Exits: `head`.
        case idle
        /// So much of the body has been announced and not come; nil: nobody said how much. Exits: `data`, `trailers`.
        case body(left: UInt64?)
        /// The last byte has come. No exits.
        case ended
        /// Malformed; the stream is being reset. No exits.
        case refused
    }

    /// What a frame means for whoever reads the request.
    enum Step: Equatable {
        /// Pass it on.
        case pass
        /// Pass it on; it was the last.
        case passLast
        /// Nothing to pass on.
        case ignore
        /// Reset the stream.
        case malformed
    }

    private(set) var state = State.idle

    var hasEnded: Bool { state == .ended }

    /// A body without a length is written in chunks.
    var isChunked: Bool { state == .body(left: nil) }

    mutating func head(_ framing: RequestBytes.Framing, endStream: Bool) -> Step {
        guard state == .idle else { return refuse() }
        guard !endStream else {
            state = .ended
            return .passLast
        }
        switch framing {
        case .none: return refuse()
        case .length(let count): state = .body(left: count)
        case .chunked: state = .body(left: nil)
        }
        return .pass
    }

    mutating func data(_ count: Int, endStream: Bool) -> Step {
        switch state {
        case .idle, .ended: return refuse()
        case .refused: return .ignore
        case .body(nil): break
        case .body(.some(let left)):
            guard UInt64(count) <= left, !endStream || UInt64(count) == left else { return refuse() }
            state = .body(left: left - UInt64(count))
        }
        if endStream { state = .ended }
        return endStream ? .passLast : .pass
    }

    mutating func trailers(endStream: Bool) -> Step {
        switch state {
        case .idle, .ended: return refuse()
        case .refused: return .ignore
        case .body(let left):
            guard endStream, left == nil || left == 0 else { return refuse() }
            state = .ended
            return .passLast
        }
    }

    mutating func refuse() -> Step {
        guard state != .refused else { return .ignore }
        state = .refused
        return .malformed
    }
}
