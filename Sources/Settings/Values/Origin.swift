import Core
import Policy

/// Scheme, host and port of a URL (RFC 6454), each compared by itself and never as a run of text.
public struct Origin: Hashable, Sendable, CustomStringConvertible {
    /// The two that there are.
    public enum Scheme: String, Sendable {
        case http, https

        /// The port that a URL without one means.
        public var defaultPort: UInt16 { self == .http ? 80 : 443 }
    }

    /// The scheme.
    public let scheme: Scheme
    /// Lower case, A-labels, no trailing dot; an IPv6 address stands in brackets.
    public let host: String
    /// Written or meant.
    public let port: UInt16

    /// Reads a URL that is nothing but an origin; a single `/` after it is allowed.
    ///
    /// - Returns: nil when there is user information, a path, a query or a fragment, or when it is no URL of these
    ///   schemes.
    public init?(_ text: String) {
        guard let colon = text.firstRange(of: "://"),
            let scheme = Scheme(rawValue: text[..<colon.lowerBound].lowercased())
        else { return nil }
        var rest = text[colon.upperBound...]
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let address = HostAndPort(String(rest), defaultPort: scheme.defaultPort), address.port != 0,
            let host = HostName.canonical(configured: address.host)
        else { return nil }
        self.scheme = scheme
        self.host = host
        self.port = address.port
    }

    /// The host is this machine, by name or by address.
    public var isLoopback: Bool { Loopback.isHost(host) }

    /// Without the port where it is the scheme's own.
    public var description: String {
        "\(scheme.rawValue)://\(host)\(port == scheme.defaultPort ? "" : ":\(port)")"
    }
}

/// `HOST:PORT` or `"[V6]:PORT"`.
struct HostAndPort: Hashable, Sendable {
    /// An IPv6 address keeps its brackets.
    var host: String
    var port: UInt16

    /// - Parameter defaultPort: nil when the port must be written.
    init?(_ text: String, defaultPort: UInt16?) {
        var host = Substring(text)
        var portText: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[...end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            if !rest.isEmpty { portText = rest.dropFirst() }
            guard IPAddress(String(host.dropFirst().dropLast())) != nil, host.contains(":") else { return nil }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
        }
        let isPlain = host.unicodeScalars.allSatisfy { scalar in
            scalar.value > 0x20 && scalar.value != 0x7f && !"/\\?#@%\"'<>^`{|}".unicodeScalars.contains(scalar)
        }
        guard !host.isEmpty, isPlain else { return nil }
        self.host = String(host)
        if let portText {
            guard portText.utf8.count <= 5, let number = Measures.wholeNumber(String(portText)),
                let port = UInt16(exactly: number)
            else { return nil }
            self.port = port
        } else {
            guard let defaultPort else { return nil }
            port = defaultPort
        }
    }
}
