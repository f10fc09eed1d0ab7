import Core

/// A rule, compiled. A class, so that trying one costs one reference count.
final class Rule: Sendable {
    enum Effect: Sendable {
        case allow(CompiledRequirement)
        case deny(CompiledRequirement)
    }

    enum Condition: String {
        case methods, preflight, networks, paths
    }

    /// What a rule says to one reading of one request.
    enum Outcome {
        /// The condition that does not hold.
        case notMatching(Condition)
        /// A `deny` that means somebody else.
        case notMeant
        case decided(Verdict, Reason?)
    }

    /// The index by which it is told: that in the list in which it was written.
    let place: Int
    let name: String?
    let shadow: Bool
    let effect: Effect
    let paths: [PathGlob]?
    let methods: MethodList?
    let networks: [Network]?
    let preflight: Bool

    init(
        place: Int, name: String?, shadow: Bool, effect: Effect, paths: [PathGlob]?, methods: MethodList?,
        networks: [Network]?, preflight: Bool
    ) {
        self.place = place
        self.name = name
        self.shadow = shadow
        self.effect = effect
        self.paths = paths
        self.methods = methods
        self.networks = networks
        self.preflight = preflight
    }

    @inline(__always)
    func outcome(_ facts: borrowing Facts, _ path: Span<UInt8>, _ credential: CredentialState) -> Outcome {
        if let condition = failedCondition(facts, path) { return .notMatching(condition) }
        switch effect {
        case .allow(.everyone): return .decided(.allow, nil)
        case .deny(.everyone): return .decided(.deny, .ruleDenied)
        case .allow(let requirement):
            switch credential {
            case .none: return .decided(.signIn, .signInRequired)
            case .refused(let refusal):
                // Cookies that disagree prove nobody, and another sign-in puts that right.
                return .decided(refusal.reason == .credentialsDisagree ? .signIn : .deny, refusal.reason)
            case .identity(let identity):
                let (verdict, reason) = requirement.judge(identity, at: facts.now)
                return .decided(verdict, reason)
            }
        case .deny(let requirement):
            switch credential {
            case .none: return .notMeant
            // Who could not be looked up may be just whom this rule means; any other bad credential is nobody's, as if
            // there were none.
            case .refused(let refusal):
                return refusal.reason == .storeUnavailable ? .decided(.deny, refusal.reason) : .notMeant
            case .identity(let identity):
                return requirement.fits(identity, at: facts.now) ? .decided(.deny, .ruleDenied) : .notMeant
            }
        }
    }

    @inline(__always)
    private func failedCondition(_ facts: borrowing Facts, _ path: Span<UInt8>) -> Condition? {
        if preflight, !facts.isPreflight { return .preflight }
        if let methods, !methods.contains(facts.method) { return .methods }
        if let paths {
            var matches = false
            for glob in paths where !matches { matches = glob.matches(path) }
            if !matches { return .paths }
        }
        if let networks {
            guard let address = facts.clientAddress, networks.contains(where: { $0.contains(address) }) else {
                return .networks
            }
        }
        return nil
    }
}

/// Request methods, compared byte for byte (RFC 9110 section 9.1); `GET` covers HEAD.
struct MethodList: Sendable {
    let methods: [[UInt8]]

    init(_ methods: [String]) {
        var all = methods.map { Array($0.utf8) }
        if methods.contains("GET"), !methods.contains("HEAD") { all.append(Array("HEAD".utf8)) }
        self.methods = all
    }

    func contains(_ method: Span<UInt8>) -> Bool {
        methods.contains { Self.isSame($0, method) }
    }

    private static func isSame(_ left: [UInt8], _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }
}

extension KeyBounds {
    /// What an API key is bound to includes this request on this route.
    func include(_ facts: borrowing Facts, on route: Route) -> Bool {
        if let routes, !routes.contains(route.name) { return false }
        if let methods, !MethodList(methods).contains(facts.method) { return false }
        if let networks {
            guard let address = facts.clientAddress else { return false }
            return networks.contains { $0.contains(address) }
        }
        return true
    }
}
