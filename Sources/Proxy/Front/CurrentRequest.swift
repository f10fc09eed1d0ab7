import Core
import HTTPWire
import Policy

/// What is remembered of the request under way once its head is gone.
struct CurrentRequest {
    var id = RequestID.made(0, 0)
    var method = Method.get
    var isOldVersion = false
    var shape = Shape.inline
    /// Index of the route; -1 for none.
    var route = -1
    /// Monotonic nanoseconds.
    var started: UInt64 = 0
    /// The answer to the client is chunked.
    var answersChunked = false
    /// Bytes of body that may still come before it is too large.
    var bodyAllowance = UInt64.max
    /// Some bytes of the next head are here.
    var headHasBegun = false
    var status = 0
    /// Bytes of body that were passed over together with the head.
    var skippedBody = 0
    var clientAddress: IPAddress?
    /// Index of the rule that refuses; -1 for none.
    var refusingRule = -1
    /// What rules in the shadow would have done with a request that is refused, where it is something else.
    var refusingShadow: [ShadowVerdict] = []
    /// Kept only when an access line will be written.
    var access: AccessNote?

    /// The request may be sent again: idempotent (RFC 9110 section 9.2.2) and without a body.
    var isRepeatable = false
    var wasRetried = false
    /// No server took it, and the names were looked up once more.
    var hasLookedAgain = false
    /// Some of the body has gone to an upstream and cannot be had again.
    var bodyWasPassed = false
    /// The protocol that the client asked to switch to, if it is one that may be asked for.
    var upgrade: [UInt8]?

    /// Bytes handed to the client's connection, heads included.
    var sent = 0
    /// Milliseconds in which the client was waited for in the middle of its body, and the bytes that came of it.
    var bodyWaited: Int64 = 0
    var bodyReceived: Int64 = 0

    var isHead: Bool { method == .head }
}
