internal import Core
internal import HTTPWire
internal import Policy
internal import Proxy

/// The request that `explain` is asked about, held against what the server looks at before any route.
struct ExplainedRequest {
    let method: String
    /// As a client would send it.
    let host: String
    let path: String
    /// What is decided without a route; nil when the routes decide.
    private let early: Early?

    private enum Early {
        case refused(Reason)
        case own(OwnAddress)
    }

    /// - Throws: usage, for what is no method or no URL: a server answers that with 400, and no rule has a say.
    init(method: String, url: String, portalHost: String) throws(CommandFailure) {
        let scheme = url.hasPrefix("https://") ? "https://" : "http://"
        guard url.hasPrefix(scheme) else {
            throw CommandFailure(.usage, "“\(url)” is no URL like https://wiki.example.com/page")
        }
        let rest = url.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let typed = String(rest[..<end])
        // A client sends a name outside ASCII as its A-labels.
        let host = HostName.canonical(configured: typed) ?? typed
        guard !host.isEmpty else { throw CommandFailure(.usage, "“\(url)” names no host") }
        guard Self.lend(host, RequestTarget.isHost) else {
            throw CommandFailure(.usage, "“\(typed)” is no host that a request could name")
        }
        guard Self.isMethod(method) else {
            throw CommandFailure(.usage, "“\(method)” is no method: 1 to 64 letters, digits and !#$%&'*+-.^_`|~")
        }
        let typedTarget = rest[end...].prefix { $0 != "#" }
        let target = typedTarget.hasPrefix("/") ? String(typedTarget) : "/" + typedTarget
        self.method = method
        self.host = host
        path = String(target.prefix { $0 != "?" })
        early = Self.judge(method, target, path, isPortal: Self.isHost(host, portalHost))
    }

    private static func judge(_ method: String, _ target: String, _ path: String, isPortal: Bool) -> Early? {
        if ["CONNECT", "TRACE"].contains(method.uppercased()) { return .refused(.methodRefused) }
        if let refusal = lend(target, refusal(of:)) { return .refused(refusal.reason ?? .pathRefused) }
        return OwnAddress(path: path, isPortalHost: isPortal).map { .own($0) }
    }

    private static func refusal(of target: UnsafeRawBufferPointer) -> Refusal? {
        do throws(Refusal) {
            _ = try RequestTarget.check(target)
            return nil
        } catch {
            return error
        }
    }

    private static func lend<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Array(text.utf8).withUnsafeBytes(body)
    }

    private static func isMethod(_ method: String) -> Bool {
        (1...64).contains(method.utf8.count)
            && method.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    /// The answer of the server itself; nil when the routes decide.
    var ownAnswer: (answer: ExplainAnswer, text: String)? {
        switch early {
        case nil: nil
        case .refused(let reason):
            (
                ExplainAnswer(.deny, reason),
                "deny (\(reason.rawValue))\n  refused before any route is asked"
            )
        case .own(.portal):
            (ExplainAnswer(.allow, nil), "allow\n  answered by Gatehouse itself: no route and no rule is asked")
        case .own(.check):
            (
                ExplainAnswer(.deny, .peerUntrusted),
                "deny (peer_untrusted)\n  a check endpoint, which only a proxy among trusted_proxies may ask"
            )
        }
    }

    /// Nobody's `/` on the portal's host leads to the account page.
    func isFrontDoor(_ explanation: Explanation, portalHost: String) -> Bool {
        explanation.reason == .noRoute && path == "/" && (method == "GET" || method == "HEAD")
            && Self.isHost(host, portalHost)
    }

    /// Port, case and a trailing dot aside.
    private static func isHost(_ host: String, _ portalHost: String) -> Bool {
        let (host, portalHost) = (Array(host.utf8), Array(portalHost.utf8))
        return HostName.canonical(host.span).map { $0 == HostName.canonical(portalHost.span) } ?? false
    }
}

/// The document of the contract: `{"verdict","route","rule","reason","headers"}`, each of them always there.
struct ExplainAnswer: Encodable {
    let verdict: String
    let route: String?
    let rule: Int?
    let rule_name: String?
    let reason: String?
    let headers: [String: String]

    init(_ explanation: Explanation) {
        verdict = explanation.verdict.rawValue
        route = explanation.route
        rule = explanation.rule
        rule_name = explanation.ruleName
        reason = explanation.reason?.rawValue
        headers = Dictionary(explanation.headers.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// Decided without a route.
    init(_ verdict: Verdict, _ reason: Reason?) {
        self.verdict = verdict.rawValue
        self.reason = reason?.rawValue
        route = nil
        rule = nil
        rule_name = nil
        headers = [:]
    }

    private enum CodingKeys: String, CodingKey {
        case verdict, route, rule, rule_name, reason, headers
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(verdict, forKey: .verdict)
        try container.encode(route, forKey: .route)
        try container.encode(rule, forKey: .rule)
        try container.encodeIfPresent(rule_name, forKey: .rule_name)
        try container.encode(reason, forKey: .reason)
        try container.encode(headers, forKey: .headers)
    }
}

/// The same for people: every reading of method and path, every rule and why.
enum ExplainText {
    static func render(_ explanation: Explanation) -> String {
        var lines = ["\(explanation.verdict.rawValue)\(explanation.reason.map { " (\($0.rawValue))" } ?? "")"]
        for reading in explanation.readings {
            let method = reading.method.map { "\($0) " } ?? ""
            lines.append("read as \(method)\(reading.path): \(reading.route.map { "route \($0)" } ?? "no route")")
            for rule in reading.rules {
                let name = rule.name.map { " “\($0)”" } ?? ""
                let mark = rule.decided ? ">" : " "
                lines.append("  \(mark) rule \(rule.index)\(name)\(rule.shadow ? " (shadow)" : ""): \(rule.why)")
            }
        }
        for header in explanation.headers { lines.append("  \(header.name): \(header.value)") }
        return lines.joined(separator: "\n")
    }
}
