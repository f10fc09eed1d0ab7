import Core

/// The limits' times in whole milliseconds, as the loops count them: a `Duration` is 128 bits wide, and taking it apart
/// is a division that no request should pay for.
struct Patience: Sendable {
    let handshake: Int64
    let head: Int64
    let keepAlive: Int64
    let body: Int64
    let bodyGrace: Int64
    let lasting: Int64
    let lingering: Int64
    let halfClosed: Int64

    init(_ limits: Limits) {
        handshake = limits.handshakeTimeout.wholeMilliseconds
        head = limits.headTimeout.wholeMilliseconds
        keepAlive = limits.keepAliveTimeout.wholeMilliseconds
        body = limits.bodyTimeout.wholeMilliseconds
        bodyGrace = limits.bodyGrace.wholeMilliseconds
        lasting = limits.lastingAfter.wholeMilliseconds
        lingering = limits.lingering.wholeMilliseconds
        halfClosed = limits.halfClosedTimeout.wholeMilliseconds
    }
}
