internal import Accounts
internal import Core
internal import Federation
internal import Logging
internal import Outbound
internal import Policy
internal import Settings

extension Commands {
    /// What `explain` is asked, as typed.
    public struct Question: Sendable {
        var method: String
        var url: String
        var user: String?
        var apiKey: String?
        var tokenFile: String?
        var address: String?
        var expected: String?

        /// At most one of user, key and token.
        public init(
            method: String, url: String, user: String?, apiKey: String?, tokenFile: String?, address: String?,
            expected: String?
        ) {
            self.method = method
            self.url = url
            self.user = user
            self.apiKey = apiKey
            self.tokenFile = tokenFile
            self.address = address
            self.expected = expected
        }
    }

    /// `explain METHOD URL`.
    public static func explain(_ invocation: Invocation, _ question: Question) async throws {
        let context = try invocation.context()
        if let expected = question.expected, Verdict(rawValue: expected) == nil {
            throw CommandFailure(.usage, "--expect is allow, sign_in, step_up or deny")
        }
        let target = try ExplainedTarget(question.url)
        let address = try question.address.map { text throws(CommandFailure) in
            guard let address = IPAddress(text) else { throw CommandFailure(.usage, "“\(text)” is no address") }
            return address
        }
        let snapshot = try context.settings.snapshot()
        let credential = try await credential(of: question, context)
        let method = Array(question.method.utf8)
        let host = Array(target.host.utf8)
        let path = Array(target.path.utf8)
        let facts = Facts(
            method: method.span, host: host.span, path: path.span, clientAddress: address, isPreflight: false,
            now: SystemClock().now())
        let explanation = snapshot.explain(facts, credential: credential)
        let answer = ExplainAnswer(explanation)
        try context.output.value(answer) { ExplainText.render(explanation) }
        if let expected = question.expected, expected != explanation.verdict.rawValue {
            throw CommandFailure(.failed, "expected \(expected), the verdict is \(explanation.verdict.rawValue)")
        }
    }

    private static func credential(
        of question: Question, _ context: CommandContext
    ) async throws -> CredentialState {
        guard [question.user, question.apiKey, question.tokenFile].compactMap({ $0 }).count <= 1 else {
            throw CommandFailure(.usage, "say one of --user, --api-key and --jwt")
        }
        guard question.user != nil || question.apiKey != nil || question.tokenFile != nil else { return .none }
        let store = try Store.open(
            try context.storeConfiguration(readingMasterKey: false), clock: SystemClock())
        defer { store.close() }
        let reading: CredentialReading
        if let user = question.user {
            reading = try store.identity(ofUser: user)
        } else if let id = question.apiKey {
            reading = try store.identity(ofAPIKey: id)
        } else {
            reading = try await read(tokenFile: question.tokenFile ?? "-", store, context)
        }
        return switch reading {
        case .identity(let identity): .identity(identity)
        case .refused(let refusal): .refused(refusal)
        case .notMine, .pending: .none
        }
    }

    private static func read(
        tokenFile: String, _ store: Store, _ context: CommandContext
    ) async throws -> CredentialReading {
        let text = try TextFile.read(tokenFile)
        let token = Array(text.utf8.filter { $0 > 0x20 })
        let fetcher = Fetcher(threads: 2, capacity: 64)
        let log = Logger(label: "gatehouse") { _ in SwiftLogNoOpLogHandler() }
        let issuers = Issuers(
            try context.settings.issuerConfigurations(), fetcher: fetcher, clock: SystemClock(), log: log)
        await issuers.refreshDue()
        let chain = CredentialReaderChain([
            try AccountReader(store: store),
            ForeignTokenReader(issuers: issuers, standing: try LocalStanding(store: store)),
        ])
        return chain.read(PresentedCredential(source: .bearer, bytes: token.span), at: SystemClock().now())
    }
}

/// Host and path of a URL, as the client would send them.
struct ExplainedTarget {
    let host: String
    let path: String

    init(_ url: String) throws(CommandFailure) {
        let scheme = url.hasPrefix("https://") ? "https://" : "http://"
        guard url.hasPrefix(scheme) else {
            throw CommandFailure(.usage, "“\(url)” is no URL like https://wiki.example.com/page")
        }
        let rest = url.dropFirst(scheme.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        host = String(rest[..<end])
        let path = rest[end...].prefix { $0 != "?" && $0 != "#" }
        self.path = path.hasPrefix("/") ? String(path) : "/" + path
        guard !host.isEmpty else { throw CommandFailure(.usage, "“\(url)” names no host") }
    }
}

/// The document of the contract: `{"verdict","route","rule","reason","headers"}`.
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
}

/// The same for people: every reading of the path, every rule and why.
enum ExplainText {
    static func render(_ explanation: Explanation) -> String {
        var lines = ["\(explanation.verdict.rawValue)\(explanation.reason.map { " (\($0.rawValue))" } ?? "")"]
        for reading in explanation.readings {
            lines.append("read as \(reading.path): \(reading.route.map { "route \($0)" } ?? "no route")")
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
