internal import CCurl
public import Core

/// Fetches over https (and http to loopback) with libcurl, each request on a thread of a small pool.
///
/// The rules: certificates are always verified against the system's authorities; redirects are never followed, since a
/// redirect is a URL that somebody else chose; time, answer size and the number of waiting requests are bounded.
public final class Fetcher: HTTPFetching {
    private static let isInitialised = gh_curl_global_init() == CURLE_OK
    private let pool: WorkerPool

    /// - Parameters:
    ///   - threads: how many requests run at once.
    ///   - capacity: how many may wait; more fail with `overloaded`.
    public init(threads: Int = 4, capacity: Int = 256) {
        pool = WorkerPool(name: "gh-fetch", threads: threads, capacity: capacity)
    }

    public func fetch(_ request: FetchRequest) async throws -> FetchResponse {
        guard Self.isInitialised else { throw FetchError(.notConnected, "libcurl could not be initialised") }
        try Self.check(request.url)
        return try await withCheckedThrowingContinuation { continuation in
            let accepted = pool.submit { continuation.resume(with: Result { try Transfer(request).perform() }) }
            if !accepted {
                continuation.resume(throwing: FetchError(.overloaded, "too many requests are waiting to be sent"))
            }
        }
    }

    /// Ends the threads once what is queued has been sent.
    public func stop() {
        pool.stop()
    }

    /// Only https, or http to this machine: what goes over a network unencrypted can be changed on its way, and a key
    /// set that was changed lets anybody in.
    static func check(_ text: String) throws(FetchError) {
        guard let url = curl_url() else { throw FetchError(.notConnected, "out of memory") }
        defer { curl_url_cleanup(url) }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK,
            let scheme = part(url, CURLUPART_SCHEME), let host = part(url, CURLUPART_HOST)
        else { throw FetchError(.invalidURL, "“\(text)” is no absolute URL") }
        guard part(url, CURLUPART_USER) == nil, part(url, CURLUPART_PASSWORD) == nil else {
            throw FetchError(.invalidURL, "a URL must not hold a user name or password")
        }
        switch scheme {
        case "https": return
        case "http" where Loopback.isHost(host): return
        default: throw FetchError(.invalidURL, "“\(text)” is neither https nor http to loopback")
        }
    }

    private static func part(_ url: OpaquePointer, _ part: CURLUPart) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(url, part, &text, 0) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}
