/// One bounded HTTP request to somebody else's server.
public struct FetchRequest: Sendable {
    /// `GET` or `POST`.
    public var method: String
    /// An absolute `https` URL, or `http` to loopback; from configuration or a provider's metadata, never from a
    /// client.
    public var url: String
    /// Names and values, in order.
    public var headers: [(name: String, value: String)]
    /// The body, for POST.
    public var body: [UInt8]?
    /// For everything together: name resolution, connection, answer.
    public var timeout: Duration
    /// A longer answer is an error.
    public var maximumBodyBytes: Int

    /// A GET with ten seconds and 1 MiB unless said otherwise.
    public init(
        url: String, method: String = "GET", headers: [(name: String, value: String)] = [], body: [UInt8]? = nil,
        timeout: Duration = .seconds(10), maximumBodyBytes: Int = 1 << 20
    ) {
        self.url = url
        self.method = method
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.maximumBodyBytes = maximumBodyBytes
    }
}

/// What came back; redirects are never followed, so 3xx are answers too.
public struct FetchResponse: Sendable {
    /// The status code.
    public var status: Int
    /// Names in lower case with their values, in order.
    public var headers: [(name: String, value: String)]
    /// The whole body.
    public var body: [UInt8]

    /// All fields, named as they are.
    public init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of a header.
    ///
    /// - Parameter name: in lower case.
    public func first(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

/// Why there is no answer.
public struct FetchError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Code: String, Sendable {
        case invalidURL, nameNotResolved, notConnected, tlsFailed, timedOut, tooLarge, malformed, overloaded, cancelled
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// What went wrong, for the log; holds no credential.
    public let message: String
    /// The server was reached and asked: it may have taken what was sent, or choke on it.
    public let wasSent: Bool

    /// - Parameter message: for people; must not hold a credential.
    public init(_ code: Code, _ message: String, wasSent: Bool = false) {
        self.code = code
        self.message = message
        self.wasSent = wasSent
    }

    public var description: String { "\(code.rawValue): \(message)" }
}

/// Fetches from providers and issuers. Runs on its own threads, never on a loop.
public protocol HTTPFetching: Sendable {
    /// - Throws: ``FetchError`` when no whole answer came; any status is an answer.
    func fetch(_ request: FetchRequest) async throws -> FetchResponse
}
