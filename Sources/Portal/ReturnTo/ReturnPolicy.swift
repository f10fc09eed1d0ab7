/// Where a person may be sent after signing in. Whatever a link says is held against this list; nothing is mended, and
/// what is sent on is put together again from the parts that were read.
public struct ReturnPolicy: Sendable {
    /// A host that a route names, with the scheme under which its clients reach it.
    public struct App: Sendable, Hashable {
        /// Canonical (lower case, A-labels); `*.example.com` for all hosts below `example.com`.
        public var host: String
        /// `https` or `http`.
        public var scheme: String

        /// All fields, named as they are.
        public init(host: String, scheme: String) {
            self.host = host
            self.scheme = scheme
        }

        func names(_ other: String) -> Bool {
            guard host.hasPrefix("*.") else { return host == other }
            let suffix = host.utf8.dropFirst()
            return other.utf8.count > suffix.count && other.utf8.suffix(suffix.count).elementsEqual(suffix)
        }
    }

    /// `https://auth.example.com`.
    let publicURL: String
    private let origin: OriginParts
    private let apps: [App]

    /// - Parameters:
    ///   - publicURL: the portal's origin, canonical, without a trailing slash.
    ///   - apps: of the routes that have a host.
    public init(publicURL: String, apps: [App]) {
        self.publicURL = publicURL
        origin = OriginParts(publicURL) ?? OriginParts(scheme: "https", host: "", port: nil)
        self.apps = apps
    }

    /// The longest address that is kept: as long as the target of a request may be.
    static let longest = 8 * 1024

    /// An address that may be gone to, or nil.
    ///
    /// - Parameter text: as it stood in the query, unescaped once.
    func address(_ text: String) -> ReturnAddress? {
        guard text.utf8.count <= Self.longest, Self.isPlain(text.utf8) else { return nil }
        let found = text.utf8.first == UInt8(ascii: "/") ? onPortal(text) : elsewhere(text)
        guard let found, Self.pathIsPlain(found.path), !leadsInCircles(found) else { return nil }
        return found
    }

    /// A path on the portal's origin: `/` followed by neither `/` nor `\`.
    private func onPortal(_ text: String) -> ReturnAddress? {
        let second = text.utf8.dropFirst().first
        guard second != UInt8(ascii: "/"), second != UInt8(ascii: "\\") else { return nil }
        return ReturnAddress(origin: publicURL, path: text)
    }

    private func elsewhere(_ text: String) -> ReturnAddress? {
        guard let colon = text.firstRange(of: "://") else { return nil }
        let rest = text[colon.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let path = String(rest[end...])
        guard let asked = OriginParts(String(text[..<end])) else { return nil }
        guard asked == origin || isApp(asked) else { return nil }
        return ReturnAddress(origin: asked.text, path: path.hasPrefix("/") ? path : "/" + path)
    }

    /// Scheme, host and port each compared by itself.
    private func isApp(_ asked: OriginParts) -> Bool {
        guard asked.port == nil || asked.port == origin.port else { return false }
        return apps.contains { $0.scheme == asked.scheme && $0.names(asked.host) }
    }

    /// Only what a URL is written in: neither blanks, control bytes and backslashes, which browsers drop or take for
    /// something else, nor anything beyond ASCII.
    private static func isPlain(_ bytes: String.UTF8View) -> Bool {
        bytes.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") }
    }

    /// Nor by an escape: what is behind may unescape once more than we do.
    private static func pathIsPlain(_ path: String) -> Bool {
        var decoded: [UInt8] = []
        var rest = path.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") { break }
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit) else {
                return false
            }
            decoded.append(high << 4 | low)
        }
        let second = decoded.dropFirst().first
        return decoded.allSatisfy { $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "\\") }
            && second != UInt8(ascii: "/")
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// Of our own pages only the account is somewhere to be; a login page behind a login would never end.
    private func leadsInCircles(_ address: ReturnAddress) -> Bool {
        let path = address.path.prefix { $0 != "?" && $0 != "#" }.lowercased()
        guard path == "/.auth" || path.hasPrefix("/.auth/") else { return false }
        return path != "/.auth/account" && !path.hasPrefix("/.auth/account/")
    }
}

/// An address that was found good.
struct ReturnAddress: Sendable, Hashable {
    /// Scheme, host and port.
    let origin: String
    /// From the first slash to the end.
    let path: String

    var url: String { origin + path }
}

/// An origin in its parts.
struct OriginParts: Equatable {
    let scheme: String
    let host: String
    /// Nil: the scheme's own.
    let port: UInt16?

    init(scheme: String, host: String, port: UInt16?) {
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    /// Reads `scheme://host[:port]`, strictly: no user information, no escapes, no trailing dot, no empty label.
    init?(_ text: String) {
        let isSecure = text.hasPrefix("https://")
        guard isSecure || text.hasPrefix("http://") else { return nil }
        scheme = isSecure ? "https" : "http"
        let authority = text.dropFirst(isSecure ? 8 : 7)
        let name: Substring
        let rest: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            name = authority[...end]
            rest = authority[authority.index(after: end)...]
            guard name.dropFirst().dropLast().utf8.allSatisfy(Self.isInAddress), name.utf8.count > 3 else { return nil }
        } else {
            name = authority.prefix { $0 != ":" }
            rest = authority[name.endIndex...]
            let labels = name.split(separator: ".", omittingEmptySubsequences: false)
            guard labels.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isInLabel) }) else { return nil }
        }
        host = name.lowercased()
        if rest.isEmpty {
            port = nil
        } else {
            let digits = rest.dropFirst()
            guard rest.hasPrefix(":"), (1...5).contains(digits.utf8.count), digits.utf8.first != UInt8(ascii: "0"),
                digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits)
            else { return nil }
            port = number == (isSecure ? 443 : 80) ? nil : number
        }
    }

    var text: String { "\(scheme)://\(host)\(port.map { ":\($0)" } ?? "")" }

    private static func isInLabel(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isInAddress(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: ":"), UInt8(ascii: "."): true
        default: false
        }
    }
}
