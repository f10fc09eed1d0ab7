import Core
import HTTPWire
import NIOCore
import Policy

/// Which hosts a plain listener sends on to https: those that the configuration names. Anything else would let a client
/// choose where we send it.
struct HTTPSRedirection: Sendable {
    private var exact: Set<[UInt8]> = []
    /// What stands behind the `*`, with its dot.
    private var suffixes: [[UInt8]] = []
    /// `:8443`, where `public_url` has a port of its own; else nothing.
    private let port: [UInt8]

    init(_ configuration: Configuration) {
        let origin = configuration.publicURL
        let authority = origin.firstRange(of: "://").map { origin[$0.upperBound...] } ?? origin[...]
        if let host = HostName.canonical(Array(authority.utf8).span) { exact.insert(host) }
        let colon = authority.lastIndex(of: ":")
        let isPort = colon.map { authority[$0...].dropFirst().allSatisfy(\.isNumber) } ?? false
        port = isPort && origin.hasPrefix("https://") ? Array(authority[(colon ?? authority.endIndex)...].utf8) : []
        for host in configuration.snapshot.routes.lazy.compactMap(\.hosts).joined() {
            if host.hasPrefix("*") {
                suffixes.append(Array(host.utf8.dropFirst()))
            } else {
                exact.insert(Array(host.utf8))
            }
        }
    }

    /// Host and port to send a request for `host` to; nil when the configuration does not name the host.
    func authority(for host: Span<UInt8>) -> [UInt8]? {
        guard let name = HostName.canonical(host) else { return nil }
        let isNamed =
            exact.contains(name)
            || suffixes.contains { name.count > $0.count && name.suffix($0.count).elementsEqual($0) }
        return isNamed ? name + port : nil
    }
}

extension FrontHandler {
    /// Answers 308 with the same host's https, 421 for a host that nobody named. Checks are not for browsers and go on
    /// as they are.
    ///
    /// - Returns: whether the request was answered.
    func redirect(_ incoming: borrowing Incoming) -> Bool {
        let head = incoming.head
        if case .check = OwnPath(head.path.bytes(in: incoming.bytes)) { return false }
        guard !head.isAsterisk else { return false }
        current.clientAddress = clientAddress(incoming)
        let host = head.host.bytes(in: incoming.bytes).bindMemory(to: UInt8.self)
        // What a route lifts is for the https listener to say.
        if let refusal = RequestTarget.refusal(for: head.pathTraits, keeping: .liftable) {
            refusePath(incoming, refusal)
        } else if let authority = site.redirection.authority(for: host.span) {
            answerRedirect(incoming, to: authority)
        } else {
            refuse(incoming, RefusalAnswer(status: 421, reason: .noRoute, verdict: .deny))
        }
        return true
    }

    private func answerRedirect(_ incoming: borrowing Incoming, to authority: [UInt8]) {
        skipBody(incoming)
        noteAccess(incoming, state: .none, verdict: .allow, reason: nil)
        let setting = setting
        loop.clearScratch()
        AnswerWriter.writeStatusLine(308, into: &loop.scratch)
        loop.writeDate(at: incoming.now, into: &loop.scratch)
        loop.scratch.writeStaticString("Location: https://")
        loop.scratch.writeBytes(authority)
        loop.scratch.writeBytes(incoming.head.path.bytes(in: incoming.bytes))
        if let query = incoming.head.query {
            loop.scratch.writeStaticString("?")
            loop.scratch.writeBytes(query.bytes(in: incoming.bytes))
        }
        loop.scratch.writeStaticString("\r\n")
        writeReasonAndID(nil)
        AnswerWriter.writeConnection(setting, into: &loop.scratch)
        AnswerWriter.writeBody(ByteBuffer(), setting, into: &loop.scratch)
        write(loop.scratch)
        conclude(status: 308)
    }
}
