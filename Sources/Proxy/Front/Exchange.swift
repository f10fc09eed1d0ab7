/// One request and its answer on a client connection, without bytes: what may come next and what follows from it. The
/// handler reports events and runs the actions.
///
/// ```
///            ┌──────────── answered, kept alive ────────────┐
///            ▼                                              │
///  idle ── head ──┬─► resolving ──┬─► forwarding ── both ends ──► (idle | draining | closed)
///                 ├───────────────┤
///                 │               ├─► collecting ─► responding ──► (idle | draining | closed)
///                 └───────────────┴─► refused ────────────────────► (idle | draining | lingering | closed)
///
///  draining ── its limit ─► lingering ── the client's end, a moment ─► closed
///  forwarding ── 101 ─► tunnelling ── both sides' ends ─► closed
/// ```
struct Exchange: Equatable {
    /// How far the request body has come.
    enum RequestSide: Equatable {
        case streaming, ended
    }

    /// How far the answer of the upstream has come.
    enum ResponseSide: Equatable {
        /// No byte of a final head.
        case awaited
        /// The head is on its way to the client.
        case streaming
    }

    /// Which sides of a tunnel have sent their last byte; both: it is closed.
    enum Tunnel: Equatable {
        /// Bytes go both ways. Exits: `inputClosed`, `upstreamClosed`, `upstreamFailed`.
        case open
        /// The client has ended. Exits: `upstreamClosed`, `upstreamFailed`.
        case clientEnded
        /// The upstream has ended. Exits: `inputClosed`, `upstreamFailed`.
        case upstreamEnded
    }

    enum State: Equatable {
        /// No head, or a part of one. Exits: `head`.
        case idle
        /// A head is here and is being judged; it may wait for a key set. Exits: `forward`, `collect`, `answered`.
        case resolving
        /// The body of a request for ourselves is gathered. Exits: `collected`, `answered`.
        case collecting
        /// Somebody else makes the answer. Exits: `answered`.
        case responding
        /// The upstream has it. Exits: `answered`, `upstreamFailed`, `switched`.
        case forwarding(RequestSide, ResponseSide)
        /// Another protocol, of which we know nothing: bytes go on as they come.
        case tunnelling(Tunnel)
        /// The answer is out, the rest of the body is thrown away; so many bytes may still come. Exits: `drained`,
        /// `bodyInvalid`, `inputClosed`.
        case draining(Int)
        /// The answer is out and our side ended, and nothing more is read. Exits: `inputClosed`; a moment.
        case lingering
        /// Nothing more happens here. No exits.
        case closed
    }

    /// What a handler has to do next.
    enum Action: Equatable {
        case none
        /// Take the next request from what is there, and read on.
        case next
        /// Send what is written, then close.
        case close
        /// End the way to the upstream behind what was written.
        case endUpstream
        /// End the way to the client behind what was written.
        case endClient
        /// Give the upstream the rest, then close both.
        case finishUpstream
        /// Close at once, without an end of the answer that looks whole.
        case abort
        /// Read on and throw away.
        case drain
        /// The same, with the way to the client ended behind what was written: it need not wait to know.
        case endAndDrain
        /// End the way to the client behind what was written, read nothing more, and close a moment later: a close with
        /// bytes unread is a reset, which may take away an answer that the client has not read.
        case endAndLinger
        /// Close soon: a request may be on its way already.
        case linger
    }

    /// What bytes from the client are now.
    enum Expectation: Equatable {
        case head, body, raw, nothing
    }

    /// How much of a refused body is read before the connection is left to itself, so that the answer is not lost in a
    /// reset.
    static let drainLimit = 64 * 1024

    private(set) var state = State.idle
    /// The client wants another request on this connection and can have it.
    private(set) var keepsAlive = false
    /// The request is complete.
    private(set) var requestEnded = true
    /// The server stops: no further request is taken.
    private(set) var isLast = false
    /// The answer that is out said that the connection stays.
    private var saidToStay = false
    /// The client has sent its last byte.
    private var inputHasEnded = false

    var expects: Expectation {
        switch state {
        case .idle: .head
        case .collecting, .draining, .forwarding(.streaming, _): .body
        case .tunnelling: .raw
        case .resolving, .responding, .forwarding(.ended, _), .lingering, .closed: .nothing
        }
    }

    /// What the client sends is of no use to anybody.
    var isOver: Bool { state == .closed || state == .lingering }

    /// An answer that is written now may say that the connection stays.
    var answerKeepsAlive: Bool { keepsAlive && requestEnded && !isLast }

    /// A head was accepted by the parser, for the first time or, after a wait, once more.
    mutating func head(keepsAlive: Bool, hasBody: Bool) {
        state = .resolving
        self.keepsAlive = keepsAlive && !inputHasEnded
        requestEnded = !hasBody
    }

    /// All of the body has come, and nobody wanted it.
    mutating func bodySkipped() {
        requestEnded = true
    }

    mutating func forward() {
        state = .forwarding(requestEnded ? .ended : .streaming, .awaited)
    }

    mutating func collect() {
        state = requestEnded ? .responding : .collecting
    }

    /// The body for ourselves is complete.
    mutating func collected() {
        requestEnded = true
        state = .responding
    }

    /// Body bytes came while the exchange was past using them.
    mutating func drained(_ count: Int, ended: Bool) -> Action {
        guard case .draining(let left) = state else { return .none }
        if ended, saidToStay, keepsAlive, !isLast {
            requestEnded = true
            state = .idle
            return .next
        }
        if ended {
            state = .closed
            return .close
        }
        if count >= left {
            state = .lingering
            return .endAndLinger
        }
        state = .draining(left - count)
        return .none
    }

    /// The rest of the body cannot be read, so it has no end.
    mutating func bodyInvalid() -> Action {
        guard case .draining = state else { return .none }
        state = .lingering
        return .endAndLinger
    }

    /// The request body has been passed on to its end.
    mutating func requestBodyEnded() {
        requestEnded = true
        if case .forwarding(_, let response) = state { state = .forwarding(.ended, response) }
    }

    /// The final head of the upstream is on its way.
    mutating func responseBegan() {
        if case .forwarding(let request, _) = state { state = .forwarding(request, .streaming) }
    }

    /// It was malformed right behind its head, and nothing of it has been written.
    mutating func responseWithdrawn() {
        if case .forwarding(let request, .streaming) = state { state = .forwarding(request, .awaited) }
    }

    /// The upstream speaks another protocol from now on, and so does the client.
    mutating func switched() {
        guard state == .forwarding(.ended, .awaited) else { return }
        keepsAlive = false
        state = .tunnelling(.open)
    }

    /// The upstream's side of a tunnel has sent its last byte.
    mutating func upstreamClosed() -> Action {
        switch state {
        case .tunnelling(.open):
            state = .tunnelling(.upstreamEnded)
            return .endClient
        case .tunnelling(.clientEnded):
            state = .closed
            return .close
        case .tunnelling(.upstreamEnded), .idle, .resolving, .collecting, .responding, .forwarding, .draining,
            .lingering, .closed:
            return .none
        }
    }

    /// The connection cannot stay after this answer.
    mutating func closeAfterwards() {
        keepsAlive = false
    }

    /// A whole answer is written: ours, or the last byte of an upstream's.
    ///
    /// - Parameters:
    ///   - malformed: the request could not be read, so nothing behind it can be.
    ///   - saidToStay: its head was written before the request was complete and did not say that the connection ends.
    mutating func answered(malformed: Bool = false, saidToStay: Bool = false) -> Action {
        self.saidToStay = saidToStay
        if malformed {
            state = requestEnded ? .closed : .lingering
            return requestEnded ? .close : .endAndLinger
        }
        guard requestEnded else {
            state = .draining(Self.drainLimit)
            return saidToStay && keepsAlive && !isLast ? .drain : .endAndDrain
        }
        guard keepsAlive, !isLast else {
            state = .closed
            return .close
        }
        state = .idle
        return .next
    }

    /// What an upstream's failure means for the client.
    enum FailureAnswer: Equatable {
        /// Nothing has been sent: answer with a failure.
        case answer
        /// A part of the answer is out: the client must see that it is not whole.
        case abort
        /// A tunnel: what came before the end is still the client's.
        case close
        /// Nobody waits for it.
        case nothing
    }

    mutating func upstreamFailed() -> FailureAnswer {
        switch state {
        case .forwarding(_, .awaited):
            return .answer
        case .forwarding(_, .streaming):
            state = .closed
            return .abort
        case .tunnelling:
            state = .closed
            return .close
        case .idle, .resolving, .collecting, .responding, .draining, .lingering, .closed:
            return .nothing
        }
    }

    /// The server stops: a busy connection goes after its answer, and a request whose head has begun is still served.
    /// So is one that comes soon on an idle connection: its client may have sent it before it could know.
    mutating func stop(headHasBegun: Bool) -> Action {
        isLast = true
        switch state {
        case .idle where !headHasBegun:
            return .linger
        case .idle, .resolving, .collecting, .responding, .forwarding, .tunnelling, .draining, .lingering, .closed:
            return .none
        }
    }

    /// The client sent its last byte. A request that is complete still gets its answer.
    mutating func inputClosed() -> Action {
        inputHasEnded = true
        keepsAlive = false
        switch state {
        case .closed: return .none
        case .responding, .forwarding(.ended, _): return .none
        case .resolving where requestEnded: return .none
        case .tunnelling(.open):
            state = .tunnelling(.clientEnded)
            return .endUpstream
        case .tunnelling(.upstreamEnded):
            state = .closed
            return .finishUpstream
        case .tunnelling(.clientEnded): return .none
        case .draining, .lingering:
            state = .closed
            return .close
        case .idle, .resolving, .collecting, .forwarding(.streaming, _):
            state = .closed
            return .abort
        }
    }

    mutating func closed() {
        state = .closed
    }
}
