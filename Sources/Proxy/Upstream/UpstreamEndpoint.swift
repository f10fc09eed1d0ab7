/// What one loop knows and has of one server of an upstream.
struct UpstreamEndpoint {
    let server: UpstreamServer
    let authority: [UInt8]
    var idle: [UpstreamHandler] = []
    /// What it has of HTTP/2, once it has been asked for anything.
    var http2: UpstreamConnections?
    /// Connections that are being made.
    var dials = DialQueue<UpstreamDial>()
    /// Exchanges of this loop.
    var active = 0
    /// How many of them the other loops know of.
    var published = 0
    /// A success is worth telling.
    var isSuspect = false
    var isGone = false
    /// It has closed a connection that was idle, so it may be about to stop: others come first for a moment.
    var doubtedUntil: Int64 = 0
}
