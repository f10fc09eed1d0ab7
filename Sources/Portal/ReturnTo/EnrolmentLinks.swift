internal import Core
internal import Synchronization

/// The links to set up a new factor that browsers have opened, in memory: whichever way the person then signs in, by a
/// form, a mail or a provider, the sign-in has the link beside it. A link opens nothing by itself.
final class EnrolmentLinks: Sendable {
    private let opened = Mutex(ClockCache<[UInt8], (token: String, until: Timestamp)>(capacity: 4096))

    /// - Parameter browser: the keyed digest of the browser's cookie.
    func note(_ token: String, ofBrowser browser: [UInt8], at now: Timestamp) {
        opened.withLock { $0.insert((token, now + PendingSignIns.lifetime), for: browser) }
    }

    /// The last one that this browser has opened.
    func link(ofBrowser browser: [UInt8], at now: Timestamp) -> String? {
        opened.withLock { opened in
            guard let place = opened.find(browser), opened[place].until > now else { return nil }
            return opened[place].token
        }
    }
}
