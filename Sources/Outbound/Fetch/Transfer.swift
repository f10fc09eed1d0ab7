internal import CCurl
internal import Core

/// One request and its answer on the calling thread.
final class Transfer {
    private let request: FetchRequest
    private var headers: [(name: String, value: String)] = []
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var isTooLarge = false

    private static let maximumHeaderBytes = 64 * 1024

    init(_ request: FetchRequest) {
        self.request = request
    }

    /// Sends the request and waits for the whole answer.
    func perform() throws(FetchError) -> FetchResponse {
        guard let handle = curl_easy_init() else { throw FetchError(.notConnected, "out of memory") }
        defer { curl_easy_cleanup(handle) }
        var list: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(list) }
        for header in request.headers {
            guard !header.name.isEmpty, !(header.name + header.value).utf8.contains(where: { $0 < 0x20 || $0 == 0x7f })
            else { throw FetchError(.malformed, "a request header holds control bytes") }
            list = curl_slist_append(list, "\(header.name): \(header.value)")
        }
        try configure(handle, list)
        let code = withExtendedLifetime(self) { curl_easy_perform(handle) }
        if isTooLarge {
            throw FetchError(.tooLarge, "the answer is longer than \(request.maximumBodyBytes) bytes", wasSent: true)
        }
        guard code == CURLE_OK else {
            var sent = 0
            gh_curl_get_long(handle, CURLINFO_REQUEST_SIZE, &sent)
            throw Self.error(code, wasSent: sent > 0)
        }
        var status = 0
        gh_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return FetchResponse(status: status, headers: headers, body: body)
    }

    private func configure(_ handle: UnsafeMutableRawPointer, _ list: UnsafeMutablePointer<curl_slist>?)
        throws(FetchError)
    {
        let context = Unmanaged.passUnretained(self).toOpaque()
        let milliseconds = Int(max(1, min(request.timeout.wholeMilliseconds, 600_000)))
        let isPlain = request.url.utf8.starts(with: "http:".utf8)
        var results = [
            gh_curl_set_string(handle, CURLOPT_URL, request.url),
            gh_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, isPlain ? "http" : "https"),
            gh_curl_set_long(handle, CURLOPT_NOSIGNAL, 1),
            gh_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0),
            gh_curl_set_long(handle, CURLOPT_TIMEOUT_MS, milliseconds),
            gh_curl_set_long(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
            gh_curl_set_string(handle, CURLOPT_USERAGENT, "gatehouse"),
            gh_curl_set_list(handle, CURLOPT_HTTPHEADER, list),
            gh_curl_set_data(handle, CURLOPT_WRITEFUNCTION, Self.takeBody, CURLOPT_WRITEDATA, context),
            gh_curl_set_data(handle, CURLOPT_HEADERFUNCTION, Self.takeHeader, CURLOPT_HEADERDATA, context),
        ]
        // What stays on this machine has no business with a proxy that the environment names.
        if isPlain { results.append(gh_curl_set_string(handle, CURLOPT_PROXY, "")) }
        if request.method == "POST" {
            let body = request.body ?? []
            results.append(gh_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
            results.append(
                body.withUnsafeBytes { bytes in
                    // An empty copy would make curl read the body from standard input.
                    let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
                    return gh_curl_set_string(handle, CURLOPT_COPYPOSTFIELDS, start ?? Self.nothing)
                })
        } else if request.method != "GET" {
            throw FetchError(.malformed, "the method \(request.method) is not supported")
        }
        guard results.allSatisfy({ $0 == CURLE_OK }) else {
            throw FetchError(.invalidURL, "libcurl refused the request to “\(request.url)”")
        }
    }

    private nonisolated(unsafe) static let nothing: UnsafePointer<CChar> = {
        let empty = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        empty.initialize(to: 0)
        return UnsafePointer(empty)
    }()

    private static let takeBody: gh_curl_data_callback = { data, size, count, context in
        guard let data, let context else { return 0 }
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            .appendBody(UnsafeRawBufferPointer(start: data, count: size * count))
    }

    private static let takeHeader: gh_curl_data_callback = { data, size, count, context in
        guard let data, let context else { return 0 }
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            .appendHeader(UnsafeRawBufferPointer(start: data, count: size * count))
    }

    private func appendBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.count <= request.maximumBodyBytes - body.count else {
            isTooLarge = true
            return 0
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    private func appendHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        headerBytes += bytes.count
        guard headerBytes <= Self.maximumHeaderBytes else {
            isTooLarge = true
            return 0
        }
        // Each answer of a series (100, then 200) begins with a status line; only the last one counts.
        if bytes.starts(with: "HTTP/".utf8) {
            headers.removeAll()
        } else if let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
            let name = String(decoding: bytes[..<colon], as: UTF8.self).lowercased()
            let value = bytes[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
            let end = value.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? value.startIndex
            headers.append((name, String(decoding: value[..<end], as: UTF8.self)))
        }
        return bytes.count
    }

    private static func error(_ code: CURLcode, wasSent: Bool) -> FetchError {
        let message = String(cString: curl_easy_strerror(code))
        return switch code {
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: FetchError(.invalidURL, message)
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: FetchError(.nameNotResolved, message)
        case CURLE_OPERATION_TIMEDOUT: FetchError(.timedOut, message, wasSent: wasSent)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER:
            FetchError(.tlsFailed, message)
        case CURLE_COULDNT_CONNECT, CURLE_SEND_ERROR, CURLE_RECV_ERROR:
            FetchError(.notConnected, message, wasSent: wasSent)
        default: FetchError(.malformed, message, wasSent: wasSent)
        }
    }
}
