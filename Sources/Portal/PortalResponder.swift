internal import Accounts
public import Core
internal import HTTPTypes
internal import Hummingbird
public import Logging
internal import NIOCore
internal import Synchronization

/// The pages and the JSON API below `/.auth/`: two faces of the operations in Accounts. Gets whole requests whose
/// credentials have been read already, and runs on the global executor.
///
/// ```
///   LocalRequest → which host? → router → handler → operation → page or JSON
/// ```
public final class PortalResponder: LocalResponder {
    let services: Services
    let log: Logger
    let pending = PendingSignIns()
    let enrolmentLinks = EnrolmentLinks()
    let loops = LoginLoops()
    let federated = FederatedState()
    let forms: FormTokens
    private let router: RouterResponder<PortalContext>
    private let current: Mutex<Configuration>

    public init(_ configuration: Configuration, services: Services, log: Logger) {
        self.services = services
        self.log = log
        forms = FormTokens(authenticate: services.authenticate)
        router = Endpoint.router()
        current = Mutex(configuration)
    }

    /// Puts another configuration into force; requests under way keep to theirs.
    public func replace(_ configuration: Configuration) {
        current.withLock { $0 = configuration }
    }

    /// Frees what waits in memory and is too old. Nothing is decided by it: times are compared at each use.
    public func sweep() {
        let now = services.clock.now()
        pending.sweep(at: now)
        federated.sweep(at: now)
    }

    public func lane(of local: LocalRequest) -> LocalLane { Self.lane(of: local) }

    /// A HEAD waits for what its GET waits for.
    static func lane(of local: LocalRequest) -> LocalLane {
        guard local.method == "HEAD" else { return Endpoint.lane(of: local) }
        var get = local
        get.method = "GET"
        return Endpoint.lane(of: get)
    }

    public func respond(to local: LocalRequest) async -> LocalResponse? {
        let configuration = current.withLock { $0 }
        let request = PortalRequest(
            local: local, configuration: configuration, portal: self,
            language: Language(
                accepting: local.values(of: "accept-language").first, among: configuration.look.languages),
            now: services.clock.now())
        if let reason = local.refusal { return request.deniedPage(reason, request: local.requestID).local }
        if local.path.hasPrefix("/.well-known/"), local.host == configuration.host {
            return (try? request.wellKnown())?.local
        }
        guard local.path == "/.auth" || local.path.hasPrefix("/.auth/") else { return nil }
        guard local.host == configuration.host else { return await elsewhere(request).local }
        return await route(request).local
    }

    private func route(_ request: PortalRequest) async -> Answer {
        let local = request.local
        if local.method == "GET" || local.method == "HEAD" {
            if let asset = request.configuration.look.asset(local.path) { return asset }
            if local.path == PasskeyScript.path { return PasskeyScript.answer }
        }
        if let page = pageBeforeSlash(local) { return .seeOther(page) }
        let methods = Endpoint.methods(of: local.path)
        let face: Endpoint.Face = local.path.hasPrefix("/.auth/api/") ? .api : .page
        guard methods.contains(local.method), let method = Self.method(local.method) else {
            let failure =
                methods.isEmpty
                ? .notFound : PortalFailure(status: 405, code: "method_refused", detail: "The method is not served.")
            var answer = answer(to: failure, of: request, face: face)
            if !methods.isEmpty { answer.headers.append(("Allow", methods.joined(separator: ", "))) }
            return answer
        }
        let head = HTTPRequest(method: method, scheme: nil, authority: nil, path: local.path)
        let asked = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        do {
            let context = PortalContext(source: .init(logger: log, request: request))
            return try await Answer.made(of: try await router.respond(to: asked, context: context))
        } catch {
            return answer(to: error, of: request, face: face)
        }
    }

    /// The page that somebody means who has put a slash at its end; nil for anything else.
    private func pageBeforeSlash(_ local: LocalRequest) -> String? {
        guard local.method == "GET" || local.method == "HEAD", local.path.hasSuffix("/"),
            !local.path.hasPrefix("/.auth/api/")
        else { return nil }
        let page = String(local.path.dropLast())
        guard Endpoint.methods(of: page).contains("GET") else { return nil }
        return page + (local.query.map { "?" + $0 } ?? "")
    }

    /// A HEAD is a GET whose body the listener leaves out.
    private static func method(_ name: String) -> HTTPRequest.Method? {
        HTTPRequest.Method(name == "HEAD" ? "GET" : name)
    }

    /// On an app's host: who is signed in, and the way out. Everything else is at home.
    private func elsewhere(_ request: PortalRequest) async -> Answer {
        let local = request.local
        let isReading = local.method == "GET" || local.method == "HEAD"
        let noRoute = PortalFailure(status: 421, code: "no_route", detail: "No route names this host.")
        do {
            if local.path == "/.auth/api/me", isReading {
                guard request.configuration.hasRoute(local.host) else { throw noRoute }
                return try request.whoOnAppHost()
            }
            if local.path == "/.auth/logout", local.method == "POST" { return try await request.signOutOnAppHost() }
        } catch {
            return answer(to: error, of: request, face: local.path.hasPrefix("/.auth/api/") ? .api : .page)
        }
        guard isReading else {
            let failure = PortalFailure(
                status: 421, code: "no_route", detail: "This is served at \(request.configuration.publicURL) only.")
            return answer(to: failure, of: request, face: .api)
        }
        return .seeOther(request.configuration.publicURL + local.path + (local.query.map { "?" + $0 } ?? ""))
    }

    /// What a failure is to whoever asked. The log gets what they are not told.
    func answer(to error: any Error, of request: PortalRequest, face: Endpoint.Face) -> Answer {
        if face == .page, let known = error as? AccountsError, let answer = request.proofFirst(known) { return answer }
        let failure: PortalFailure
        switch error {
        case let known as PortalFailure: failure = known
        case let known as AccountsError: failure = PortalFailure(known)
        default: failure = PortalFailure(status: 500, code: "internal", detail: "Something went wrong here.")
        }
        if failure.status >= 500 {
            log.error(
                "a request of the portal failed",
                metadata: [
                    "path": "\(Endpoint.first(at: request.local.path)?.path ?? "-")", "error": "\(error)",
                    "request_id": "\(request.local.requestID)",
                ])
        }
        switch face {
        case .page: return request.failurePage(failure)
        case .api: return request.problem(failure)
        }
    }
}
