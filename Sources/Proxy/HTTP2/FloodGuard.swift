/// How much a client may ask of a connection beside requests. Frames cost us more than they cost their sender, so each
/// kind has an allowance that refills with time and with the work that justifies it: who gets answers may cancel,
/// who gets data may update windows and measure. Without bytes and without a clock of its own.
struct FloodGuard {
    /// So many at once, and so many more a second.
    struct Allowance {
        private var left: Int64
        private let burst: Int64
        private let perSecond: Int64
        private var at: Int64

        /// - Parameter now: milliseconds.
        init(burst: Int64, perSecond: Int64, now: Int64) {
            left = burst * 1000
            self.burst = burst * 1000
            self.perSecond = perSecond
            at = now
        }

        /// - Returns: false when nothing is left.
        mutating func take(now: Int64) -> Bool {
            // A millisecond at so many a second is as many thousandths.
            if now > at {
                left = min(burst, left + min(now - at, 1_000_000) * perSecond)
                at = now
            }
            guard left >= 1000 else { return false }
            left -= 1000
            return true
        }

        mutating func give(_ count: Int64) {
            left = min(burst, left + count * 1000)
        }
    }

    /// RST_STREAM of either side: cancelled by the client (CVE-2023-44487), or provoked by what it sent
    /// (CVE-2025-8671). As many as it had answers, and some more.
    private var resets: Allowance
    private var settings: Allowance
    /// A client that measures its bandwidth sends one a round trip while data comes.
    private var pings: Allowance
    /// PRIORITY and frames of extensions.
    private var hints: Allowance
    private var windowUpdates: Allowance
    /// DATA frames that nobody has taken yet; each costs us more than its bytes.
    private var waitingData = 0
    private var forgivenAt: Int64

    static let resetBurst: Int64 = 200
    static let settingsBurst: Int64 = 64
    static let pingBurst: Int64 = 1000
    static let hintBurst: Int64 = 1000
    static let windowUpdateBurst: Int64 = 2000
    static let waitingDataLimit = 16_384

    init(now: Int64) {
        resets = Allowance(burst: Self.resetBurst, perSecond: 2, now: now)
        settings = Allowance(burst: Self.settingsBurst, perSecond: 1, now: now)
        pings = Allowance(burst: Self.pingBurst, perSecond: 20, now: now)
        hints = Allowance(burst: Self.hintBurst, perSecond: 20, now: now)
        windowUpdates = Allowance(burst: Self.windowUpdateBurst, perSecond: 100, now: now)
        forgivenAt = now
    }

    /// A frame came.
    ///
    /// - Returns: false when it is one too many.
    mutating func received(_ header: FrameScan.Header, now: Int64) -> Bool {
        switch header.kind {
        case .rstStream: return resets.take(now: now)
        case .settings: return header.hasFirstFlag || settings.take(now: now)
        case .ping: return header.hasFirstFlag || pings.take(now: now)
        case .priority, nil: return hints.take(now: now)
        case .windowUpdate: return windowUpdates.take(now: now)
        case .data:
            forgive(now)
            waitingData += 1
            return waitingData <= Self.waitingDataLimit
        case .headers:
            hints.give(2)
            windowUpdates.give(2)
            return true
        case .pushPromise, .goAway, .continuation: return true
        }
    }

    /// A frame goes out.
    ///
    /// - Returns: false when what the client sent has provoked one too many.
    mutating func sent(_ header: FrameScan.Header, isRefusal: Bool, now: Int64) -> Bool {
        switch header.kind {
        case .rstStream: return !isRefusal || resets.take(now: now)
        case .data:
            windowUpdates.give(4)
            pings.give(1)
            if header.hasFirstFlag { resets.give(1) }
        case .headers: if header.hasFirstFlag { resets.give(1) }
        case .priority, .settings, .pushPromise, .ping, .goAway, .windowUpdate, .continuation, nil: break
        }
        return true
    }

    /// A DATA frame has reached whoever it was for.
    mutating func delivered() {
        waitingData = max(0, waitingData - 1)
    }

    /// No stream is open, so nothing waits.
    mutating func becameIdle() {
        waitingData = 0
    }

    /// Frames for streams that are closed are never delivered; they must not add up over hours.
    private mutating func forgive(_ now: Int64) {
        let seconds = (now - forgivenAt) / 1000
        guard seconds > 0 else { return }
        forgivenAt += seconds * 1000
        waitingData = max(0, waitingData - Int(min(seconds, 1000)) * 16)
    }
}
