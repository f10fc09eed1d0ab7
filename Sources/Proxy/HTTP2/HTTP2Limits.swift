import NIOCore
import NIOHTTP2

/// What we tell clients, and what the library holds them to.
enum HTTP2Limits {
    /// Requests at a time on one connection.
    static let maximumStreams = 100
    /// HPACK counts 32 bytes more for each field than HTTP/1.1's parser, which has the last word with its own limit and
    /// an answer (431) for those who go beyond it.
    static let maximumHeaderList = 64 * 1024
    /// What may be under way, or held here, for one stream whose app does not read. The connection's own window is opened
    /// again as frames come, so that a slow app never holds up the streams beside it.
    static let streamWindow = 64 * 1024 - 1
    /// Of a stream's answer; the same as for a connection that speaks HTTP/1.1.
    private static let writeHigh = 64 * 1024
    private static let writeLow = 32 * 1024

    static var connection: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: maximumStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: maximumHeaderList),
        ]
        // `RequestBytes` and `RequestStream` hold every request to RFC 9113 section 8 by its bytes, and what goes out was
        // an HTTP/1.1 answer that we framed: the library would look at both once more, by text, at an eighth of a stream's
        // cost.
        configuration.headerBlockValidation = .disabled
        configuration.contentLengthValidation = .disabled
        configuration.maximumSequentialEmptyDataFrames = 64
        configuration.maximumSequentialContinuationFrames = 8
        configuration.maximumBufferedControlFrames = 2000
        configuration.maximumRecentlyResetStreams = maximumStreams
        configuration.targetWindowSize = 4 * streamWindow
        // `FloodGuard` counts what the library would count here, and more; the library's own counters know no answers
        // that make up for it, and keep a list of times for each.
        configuration.maximumConnectionGlitches = .max
        configuration.controlFrameRateLimit.maximumCount = 64
        configuration.controlFrameRateLimit.windowLength = .nanoseconds(0)
        return configuration
    }

    static var stream: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = streamWindow
        configuration.outboundBufferSizeHighWatermark = writeHigh
        configuration.outboundBufferSizeLowWatermark = writeLow
        configuration.streamResetFrameRateLimit.maximumCount = 64
        configuration.streamResetFrameRateLimit.windowLength = .nanoseconds(0)
        configuration.streamErrorRateLimit.maximumCount = 64
        configuration.streamErrorRateLimit.windowLength = .nanoseconds(0)
        return configuration
    }
}
