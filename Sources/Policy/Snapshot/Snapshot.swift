/// All routes, compiled: one immutable object that a reload replaces whole.
public final class Snapshot: Sendable {
    /// In the order of the configuration; the first whose host and path match takes a request.
    public let routes: [Route]
    /// Which configuration this was made from, as the caller counts them.
    public let generation: UInt64

    let hosts: HostTable

    private init(routes: [Route], generation: UInt64) {
        self.routes = routes
        self.generation = generation
        hosts = HostTable(routes.map(\.hostPatterns))
    }

    /// Compiles what the configuration wrote.
    ///
    /// - Throws: `invalidRoutes` with all findings at once, unless all of them are warnings.
    public static func compile(
        _ routes: [RouteDescription], generation: UInt64 = 0
    ) throws(PolicyError) -> Snapshot {
        var compiler = Compiler()
        let compiled = compiler.compile(routes)
        guard compiler.findings.allSatisfy(\.isWarning) else {
            let places = compiler.findings.map { "routes[\($0.place.route)]: \($0.message)" }
            throw PolicyError(.invalidRoutes, places.joined(separator: "\n"), findings: compiler.findings)
        }
        return Snapshot(routes: compiled, generation: generation)
    }

    /// What ``compile(_:generation:)`` would throw, without throwing, and what it warns of.
    public static func findings(in routes: [RouteDescription]) -> [Finding] {
        var compiler = Compiler()
        _ = compiler.compile(routes)
        return compiler.findings
    }
}
