import Core

extension UpstreamDescription.Address {
    /// Host and port; nil for a socket file.
    var place: (host: String, port: Int)? {
        switch self {
        case .tcp(let host, let port), .tls(let host, let port), .h2c(let host, let port): (host, port)
        case .unix: nil
        }
    }

    /// The host if it is a name, whose addresses have to be found.
    var name: String? {
        guard let place, IPAddress(place.host) == nil else { return nil }
        return place.host
    }

    /// What goes into `Host` when the app is to see its own.
    var authority: [UInt8] {
        switch self {
        case .tcp(let host, let port), .h2c(let host, let port): Self.authority(host, port, standard: 80)
        case .tls(let host, let port): Self.authority(host, port, standard: 443)
        case .unix: Array("localhost".utf8)
        }
    }

    /// As the configuration has it, for logs and metrics.
    var text: String {
        switch self {
        case .tcp(let host, let port): "http://" + Self.text(host, port)
        case .tls(let host, let port): "https://" + Self.text(host, port)
        case .h2c(let host, let port): "h2c://" + Self.text(host, port)
        case .unix(let path): "unix:\(path)"
        }
    }

    private static func authority(_ host: String, _ port: Int, standard: Int) -> [UInt8] {
        Array((port == standard ? bracketed(host) : text(host, port)).utf8)
    }

    private static func text(_ host: String, _ port: Int) -> String { "\(bracketed(host)):\(port)" }

    private static func bracketed(_ host: String) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    }
}
