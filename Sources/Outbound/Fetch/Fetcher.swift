internal import CCurl
public import Core
internal import Synchronization

/// Fetches over https (and http to loopback) with libcurl, each request on a thread of a small pool.
///
/// The rules: certificates are always verified against the system's authorities; redirects are never followed, since a
/// redirect is a URL that somebody else chose; time, answer size and the number of waiting requests are bounded, and so is
/// the time that one waits for its server's turn.
public final class Fetcher: HTTPFetching {
    /// A request that somebody waits for.
    private struct Job: Sendable {
        let request: FetchRequest
        /// Until then it may wait.
        let patience: ContinuousClock.Instant
        let continuation: CheckedContinuation<FetchResponse, any Error>

        func run() {
            continuation.resume(with: Result { try Transfer(request).perform() })
        }

        func refuse() {
            continuation.resume(throwing: FetchError(.overloaded, "too many requests are waiting to be sent"))
        }
    }

    private static let isInitialised = gh_curl_global_init() == CURLE_OK
    private let pool: WorkerPool
    private let turns: Mutex<FetchTurns<Job>>
    private let patience: Duration

    /// - Parameters:
    ///   - threads: how many requests run at once.
    ///   - perServer: how many of them may be to one server (scheme, host and port); nil: all.
    ///   - capacity: how many may wait for their server's turn, of one server a quarter where its threads are bounded;
    ///     more fail with `overloaded`. As many and `threads` more may wait for a thread.
    ///   - patience: how long one may wait for its server's turn; then it fails with `overloaded`.
    public init(
        threads: Int = 4, perServer: Int? = nil, capacity: Int = 256, patience: Duration = .seconds(30)
    ) {
        self.patience = patience
        // A thread that ends with one request hands over the next before it is free itself.
        pool = WorkerPool(name: "gh-fetch", threads: threads, capacity: capacity + threads)
        turns = Mutex(
            FetchTurns(
                perServer: perServer ?? threads, waitingPerServer: perServer == nil ? capacity : max(1, capacity / 4),
                capacity: capacity))
    }

    public func fetch(_ request: FetchRequest) async throws -> FetchResponse {
        guard Self.isInitialised else { throw FetchError(.notConnected, "libcurl could not be initialised") }
        let server = try Self.server(of: request.url)
        let patience = ContinuousClock.now + self.patience
        return try await withCheckedThrowingContinuation { continuation in
            let job = Job(request: request, patience: patience, continuation: continuation)
            switch turns.withLock({ $0.arrive(job, at: server) }) {
            case .begins:
                if send(job, at: server) { return }
                job.refuse()
                sendNext(at: server)
            case .waits: break
            case .refused: job.refuse()
            }
        }
    }

    /// How many wait for their server's turn.
    var waitingCount: Int { turns.withLock { $0.waiting } }

    /// Ends the threads once what is queued has been sent. What waits for its server's turn is refused.
    public func stop() {
        pool.stop()
    }

    /// - Returns: false when the pool was stopped.
    private func send(_ job: Job, at server: String) -> Bool {
        pool.submit {
            job.run()
            self.sendNext(at: server)
        }
    }

    /// One of this server's has ended: the one that has waited longest is sent, and not those that have waited too long.
    private func sendNext(at server: String) {
        while let job = turns.withLock({ $0.leave(server) }) {
            if .now <= job.patience, send(job, at: server) { return }
            job.refuse()
        }
    }

    /// Only https, or http to this machine: what goes over a network unencrypted can be changed on its way, and a key
    /// set that was changed lets anybody in.
    ///
    /// - Returns: the server: scheme, host and port.
    static func server(of text: String) throws(FetchError) -> String {
        guard let url = curl_url() else { throw FetchError(.notConnected, "out of memory") }
        defer { curl_url_cleanup(url) }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK,
            let scheme = part(url, CURLUPART_SCHEME), let host = part(url, CURLUPART_HOST)
        else { throw FetchError(.invalidURL, "“\(text)” is no absolute URL") }
        guard part(url, CURLUPART_USER) == nil, part(url, CURLUPART_PASSWORD) == nil else {
            throw FetchError(.invalidURL, "a URL must not hold a user name or password")
        }
        switch scheme {
        case "https": break
        case "http" where Loopback.isHost(host): break
        default: throw FetchError(.invalidURL, "“\(text)” is neither https nor http to loopback")
        }
        let port = part(url, CURLUPART_PORT, UInt32(CURLU_DEFAULT_PORT)) ?? ""
        return "\(scheme)://\(host.lowercased()):\(port)"
    }

    private static func part(_ url: OpaquePointer, _ part: CURLUPart, _ flags: UInt32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(url, part, &text, flags) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}
