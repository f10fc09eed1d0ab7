internal import Core

/// One request of the corpus, as it goes out byte for byte.
struct Probe: Sendable {
    /// Where it asks, and whether that needs a credential.
    enum Area: Sendable {
        /// Everybody may see it.
        case open
        /// It needs a credential.
        case closed
    }

    /// What is looked at when it is over.
    enum Test: Sendable, Equatable {
        /// Without a credential it must not reach the app unless Gatehouse allows what arrives.
        case isGuarded(Fault)
        /// Its marks must not reach the app.
        case keepsMarksOut
        /// The app must be told of the user as it is without this.
        case keepsIdentity
        /// What it wants to switch to must not reach the app.
        case keepsUpgradeOut
        /// The credential must not reach the app.
        case keepsCredential
        /// The answer must not lead away, and must not carry a header that the path wrote.
        case staysHere
        /// The answer must not be that of the check endpoint.
        case isNoCheck
    }

    let name: String
    var method = "GET"
    /// The request target as it is sent.
    let target: String
    var version = "HTTP/1.1"
    /// In place of the host of `--target`.
    var host: String?
    /// Besides `Host`.
    var fields: [Field] = []
    var usesKey = false
    let test: Test

    /// A header line. `mark`: the part of the value by which it is known again.
    struct Field: Sendable {
        let name: String
        let value: String
        var mark: String?

        init(_ name: String, _ value: String, mark: String? = nil) {
            self.name = name
            self.value = value
            self.mark = mark
        }
    }

    /// The head.
    ///
    /// - Parameter id: by which the canary knows it.
    func bytes(host: String, id: String) -> [UInt8] {
        var text = "\(method) \(target) \(version)\r\nHost: \(self.host ?? host)\r\n\(Probe.idHeader): \(id)\r\n"
        for field in fields { text += "\(field.name): \(field.value)\r\n" }
        if !fields.contains(where: { $0.name.lowercased() == "connection" }) { text += "Connection: close\r\n" }
        if ["POST", "PUT", "PATCH"].contains(method) { text += "Content-Length: 0\r\n" }
        return Array((text + "\r\n").utf8)
    }

    static let idHeader = "Doctor-Probe"
}

/// What came of a probe.
struct Outcome: Sendable {
    let probe: Probe
    /// Nil: the connection was closed, or nothing came in time.
    var answer: ProbeAnswer?
    /// The requests that came to the canary.
    var arrivals: [Arrival] = []
}

/// A request as it came to the app.
struct Arrival: Sendable, Equatable {
    let method: String
    let target: String
    let headers: [HeaderLine]

    struct HeaderLine: Sendable, Equatable {
        let name: String
        let value: String
    }

    /// Reads the head, as leniently as an app might.
    init?(_ head: String) {
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)
        guard let first = lines.first else { return nil }
        let parts = first.split(separator: " ")
        guard parts.count >= 2 else { return nil }
        method = String(parts[0])
        target = parts[1..<max(2, parts.count - 1)].joined(separator: " ")
        headers = HeaderText.lines(lines.dropFirst())
    }

    func values(folded name: String) -> [String] {
        headers.filter { HeaderText.fold($0.name) == name }.map(\.value)
    }
}

/// What the proxy answered.
struct ProbeAnswer: Sendable {
    let status: Int
    let headers: [Arrival.HeaderLine]
    let body: String

    /// - Parameter text: head and, as far as it came, body.
    init?(_ text: String) {
        guard text.hasPrefix("HTTP/"), let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n", omittingEmptySubsequences: true)
        guard let first = lines.first, let code = first.split(separator: " ").dropFirst().first, let status = Int(code)
        else { return nil }
        self.status = status
        headers = HeaderText.lines(lines.dropFirst())
        body = String(text[end.upperBound...].prefix(4096))
    }

    /// Whether it says what only Gatehouse says. Proxies keep one of these: the header, the problem's code, or the redirect.
    ///
    /// - Parameter portal: host and port of `public_url`.
    func isRefusal(portal: String) -> Bool {
        guard (300..<500).contains(status) else { return false }
        if values("gatehouse-reason").contains(where: { Reason(rawValue: $0) != nil }) { return true }
        let places = ["http://", "https://"].map { $0 + portal + "/.auth/" }
        if values("location").contains(where: { place in places.contains(where: place.hasPrefix) }) { return true }
        return Reason.allCases.contains { reason in
            body.contains("\"code\":\"\(reason.rawValue)\"")
        }
    }

    func values(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name }.map(\.value)
    }
}

enum HeaderText {
    static func lines(_ lines: ArraySlice<Substring>) -> [Arrival.HeaderLine] {
        lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            return Arrival.HeaderLine(name: String(line[..<colon]), value: String(value))
        }
    }

    /// What the name is to an app that gets its headers as variables (RFC 3875 section 4.1.18), or nearly: letters and
    /// digits, every other character a dash.
    static func fold(_ name: String) -> String {
        String(
            decoding: name.utf8.map { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
                default: UInt8(ascii: "-")
                }
            }, as: UTF8.self)
    }
}
