import Core
import HTTPWire
import Policy

/// What a request was judged by, without its credential: enough to judge it again while it lasts. The storage is reused
/// from request to request.
struct JudgedRequest {
    // The method up to the end of the path as it came, then the host.
    private var bytes: [UInt8] = []
    private var methodEnd = 0
    private var pathStart = 0
    private var pathEnd = 0
    private var isPreflight = false

    /// Keeps what `incoming` says, in place of what was kept before.
    mutating func keep(_ incoming: borrowing FrontHandler.Incoming) {
        let start = Int(incoming.head.method.offset)
        bytes.removeAll(keepingCapacity: true)
        methodEnd = Int(incoming.head.method.count)
        pathStart = Int(incoming.head.path.offset) - start
        pathEnd = pathStart + Int(incoming.head.path.count)
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: incoming.bytes[start..<start + pathEnd]))
        bytes.append(contentsOf: incoming.head.host.bytes(in: incoming.bytes))
        isPreflight = incoming.isPreflight
    }

    /// The method, the path and the host as they came, for the access line.
    var texts: (method: String, path: String, host: String) {
        guard pathEnd <= bytes.count else { return ("", "", "") }
        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        return (text(0..<methodEnd), text(pathStart..<pathEnd), text(pathEnd..<bytes.count))
    }

    /// What it was let through with.
    struct Passage {
        let identity: Identity?
        let route: Route
        /// The configuration of that time.
        let site: Site
        let address: IPAddress?
    }

    /// Why it would not be let through any more; nil when it would. The credential counts even where `everyone` may
    /// pass: the app was told whose request it is.
    func withdrawal(
        of passage: Passage, by site: Site, reader: any CredentialReader, at now: Timestamp
    ) -> Reason? {
        var state = CredentialState.none
        if let identity = passage.identity {
            switch reader.recheck(identity, at: now) {
            case .identity(let current): state = .identity(current)
            case .refused(let refusal): return refusal.reason
            case .notMine, .pending: return .credentialUnknown
            }
        }
        let span = bytes.span
        let facts = Facts(
            method: span.extracting(0..<methodEnd), host: span.extracting(pathEnd..<span.count),
            path: span.extracting(pathStart..<pathEnd), clientAddress: passage.address, isPreflight: isPreflight,
            now: now)
        let judgement = site.snapshot.decide(facts, route: nil, credential: state)
        guard judgement.verdict == .allow, let route = judgement.route else { return judgement.reason ?? .ruleDenied }
        guard site !== passage.site else { return nil }
        guard site.upstreamName(of: route.index) == passage.site.upstreamName(of: passage.route.index) else {
            return .noRoute
        }
        // The credential stood where that route looked; this one might not look there.
        if route.credentialsFrom.isSuperset(of: passage.route.credentialsFrom) { return nil }
        let anonymous = site.snapshot.decide(facts, route: nil, credential: .none)
        return anonymous.verdict == .allow ? nil : anonymous.reason ?? .ruleDenied
    }
}
