import Core
import Synchronization

/// Names as a test has them; a name without addresses cannot be resolved.
final class StubResolver: NameResolving {
    private let names: Mutex<[String: [String]]>
    private let asked = Mutex(0)

    init(_ names: [String: [String]] = [:]) {
        self.names = Mutex(names)
    }

    var lookups: Int { asked.withLock { $0 } }

    func set(_ name: String, _ addresses: [String]) { names.withLock { $0[name] = addresses } }

    func addresses(of host: String) throws(NameResolutionError) -> [IPAddress] {
        asked.withLock { $0 += 1 }
        let found = names.withLock { $0[host] ?? [] }.compactMap { IPAddress($0) }
        guard !found.isEmpty else { throw NameResolutionError("no such name in this test") }
        return found
    }
}
