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

        /// Whether a route that looks in `sources` would find the credential that is meant: a session has a cookie and
        /// access tokens, a key has a field of its own, and all but cookies may stand in `Authorization`.
        func isSeen(by sources: CredentialSources) -> Bool {
            if user != nil { return !sources.isDisjoint(with: [.cookie, .authorization]) }
            if apiKey != nil { return !sources.isDisjoint(with: [.key, .authorization]) }
            return tokenFile == nil || sources.contains(.authorization)
        }
    }

    /// `explain METHOD URL`.
    public static func explain(_ invocation: Invocation, _ question: Question) async throws {
        // Before this process becomes the owner of the data folder, who may not see the file.
        let token = try question.tokenFile.map { path throws(CommandFailure) in try TextFile.bytes(path) }
        let context = try invocation.context()
        if let expected = question.expected, Verdict(rawValue: expected) == nil {
            throw CommandFailure(.usage, "--expect is allow, sign_in, step_up or deny")
        }
        let portalHost = context.settings.publicURL.host
        let request = try ExplainedRequest(method: question.method, url: question.url, portalHost: portalHost)
        let address = try question.address.map { text throws(CommandFailure) in
            guard let address = IPAddress(text) else { throw CommandFailure(.usage, "“\(text)” is no address") }
            return address
        }
        let snapshot = try context.settings.snapshot()
        // Asked for even where it has no say: who names nobody is told so.
        let credential = try await credential(of: question, token: token, context)
        let (answer, text) =
            request.ownAnswer ?? routesAnswer(request, address, question, credential, snapshot, portalHost)
        try context.output.value(answer) { text }
        if let expected = question.expected, expected != answer.verdict {
            throw CommandFailure(.failed, "expected \(expected), the verdict is \(answer.verdict)")
        }
    }

    private static func routesAnswer(
        _ request: ExplainedRequest, _ address: IPAddress?, _ question: Question, _ credential: CredentialState,
        _ snapshot: Snapshot, _ portalHost: String
    ) -> (answer: ExplainAnswer, text: String) {
        let method = Array(request.method.utf8)
        let host = Array(request.host.utf8)
        let path = Array(request.path.utf8)
        let facts = Facts(
            method: method.span, host: host.span, path: path.span, clientAddress: address, isPreflight: false,
            now: SystemClock().now())
        let isSeen = snapshot.route(for: facts).map { question.isSeen(by: $0.credentialsFrom) } ?? true
        let explanation = snapshot.explain(facts, credential: isSeen ? credential : .none)
        if request.isFrontDoor(explanation, portalHost: portalHost) {
            return (ExplainAnswer(.allow, nil), "allow\n  Gatehouse itself leads on to the account page")
        }
        var text = ExplainText.render(explanation)
        if !isSeen { text += "\n  the route’s credentials_from does not look for such a credential" }
        return (ExplainAnswer(explanation), text)
    }

    private static func credential(
        of question: Question, token: [UInt8]?, _ context: CommandContext
    ) async throws -> CredentialState {
        guard [question.user, question.apiKey, question.tokenFile].compactMap({ $0 }).count <= 1 else {
            throw CommandFailure(.usage, "say one of --user, --api-key and --jwt")
        }
        guard question.user != nil || question.apiKey != nil || token != nil else { return .none }
        let store = try Store.open(
            try context.storeConfiguration(readingMasterKey: false), clock: SystemClock())
        defer { store.close() }
        let reading: CredentialReading
        if let user = question.user {
            reading = try store.identity(ofUser: user)
        } else if let id = question.apiKey {
            reading = try store.identity(ofAPIKey: id)
        } else {
            reading = try await read(token ?? [], store, context)
        }
        return switch reading {
        case .identity(let identity): .identity(identity)
        case .refused(let refusal): .refused(refusal)
        case .notMine, .pending: .none
        }
    }

    private static func read(
        _ text: [UInt8], _ store: Store, _ context: CommandContext
    ) async throws -> CredentialReading {
        let token = text.filter { $0 > 0x20 }
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
