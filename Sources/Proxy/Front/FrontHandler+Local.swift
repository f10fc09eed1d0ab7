import Core
import HTTPWire
import NIOCore
import Policy

/// A path below the reserved prefix.
enum OwnPath: Equatable {
    /// Nil for a dialect that there is not.
    case check(CheckEndpoint?)
    case portal
    /// What programs look for on every site: the portal's on its own host, an app's on all others.
    case wellKnown

    /// Nil when the path is an app's.
    init?(_ path: UnsafeRawBufferPointer) {
        guard ByteSearch.hasPrefix(path, "/.auth") else {
            guard ByteSearch.hasPrefix(path, "/.well-known/"), Self.isWellKnown(path) else { return nil }
            self = .wellKnown
            return
        }
        guard path.count > 6 else {
            self = .portal
            return
        }
        guard path[6] == UInt8(ascii: "/") else { return nil }
        guard ByteSearch.hasPrefix(path, "/.auth/check"), path.count == 12 || path[12] == UInt8(ascii: "/") else {
            self = .portal
            return
        }
        self = .check(CheckEndpoint(UnsafeRawBufferPointer(rebasing: path.dropFirst(13))))
    }
}

extension OwnPath {
    private static let wellKnownNames = ["webauthn", "passkey-endpoints", "change-password"].map { Array($0.utf8) }

    private static func isWellKnown(_ path: UnsafeRawBufferPointer) -> Bool {
        let name = UnsafeRawBufferPointer(rebasing: path.dropFirst("/.well-known/".utf8.count))
        return wellKnownNames.contains { name.elementsEqual($0) }
    }
}

/// Requests for ourselves: taken whole, answered off the loop.
extension FrontHandler {
    /// A larger body is refused.
    static let localBodyLimit = 64 * 1024

    func serveOwn(_ own: OwnPath, _ incoming: borrowing Incoming) {
        current.clientAddress = clientAddress(incoming)
        switch own {
        case .check(let endpoint):
            current.shape = .check
            guard role.serve.contains(.check), let endpoint else { return refuseUnknownPath(incoming) }
            switch endpoint {
            case .nginx: check(NginxDialect.self, incoming)
            case .traefik: check(TraefikDialect.self, incoming)
            case .caddy: check(CaddyDialect.self, incoming)
            case .envoy: check(EnvoyDialect.self, incoming)
            case .haproxy: check(HAProxyDialect.self, incoming)
            }
        case .portal, .wellKnown:
            current.shape = .portal
            guard role.serve.contains(.portal) else { return refuseUnknownPath(incoming) }
            takeLocal(incoming)
        }
    }

    func refuseUnknownPath(_ incoming: borrowing Incoming) {
        refuse(incoming, RefusalAnswer(status: 404, reason: nil, verdict: .deny))
    }

    private func takeLocal(_ incoming: borrowing Incoming) {
        let head = incoming.head
        if let refusal = RequestTarget.refusal(for: head.pathTraits, keeping: []) {
            return refusePath(incoming, refusal)
        }
        if case .length(let length) = head.framing, length > UInt64(Self.localBodyLimit) {
            return refuse(incoming, RefusalAnswer(status: 413, reason: .tooLarge, verdict: .deny))
        }
        let isPortalHost = site.isPortal(head.host.bytes(in: incoming.bytes))
        let resolved: Resolved
        switch resolve(incoming, route: nil, plane: isPortalHost ? .portal : .app) {
        case .settled(let settled): resolved = settled
        case .waiting: return
        case .conflict: return refuseConflict(incoming)
        }
        if let wait = waitAfterRefusedKey(resolved, at: incoming.now) {
            let answer = RefusalAnswer(inline: .deny, .rateLimited, state: .none)
            return refuse(incoming, answer.repeatable(after: wait), resolved.state)
        }
        var identity: Identity?
        if case .identity(let known) = resolved.state {
            identity = known
            loop.context.decisions.used(known, address: current.clientAddress, at: incoming.now)
        }
        noteAccess(incoming, state: resolved.state, verdict: .allow, reason: nil)
        localCredential = resolved.state
        var request = localRequest(incoming, identity)
        if case .refused(let refusal) = resolved.state { request.refusedCredential = refusal.reason }
        if isPortalHost {
            request.deviceToken = Self.cookie(site.ownCookies.device, in: incoming)
            request.browserToken = Self.cookie(site.ownCookies.browser, in: incoming)
        }
        localRequest = request
        refusalPage = nil
        current.skippedBody = 0
        collected.removeAll()
        exchange.collect()
        if exchange.requestEnded { return respond() }
        if head.expectContinue {
            loop.clearScratch()
            loop.scratch.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
            write(loop.scratch)
        }
        clientDeadline = loop.ticks + site.patience.body
    }

    /// The first cookie of that name, as text; nil when there is none or it is longer than any that we set.
    private static func cookie(_ wanted: [UInt8], in incoming: borrowing Incoming) -> String? {
        guard incoming.scan.cookies > 0 else { return nil }
        var found: String?
        for field in incoming.head.fields where field.id == .cookie {
            CookiePairs.forEach(in: field.value.bytes(in: incoming.bytes)) { _, name, value in
                guard found == nil, value.count <= 128, wanted.withUnsafeBytes({ ByteSearch.equal(name, $0) }) else {
                    return
                }
                found = String(decoding: value, as: UTF8.self)
            }
        }
        return found
    }

    func localRequest(_ incoming: borrowing Incoming, _ identity: Identity?) -> LocalRequest {
        func text(_ slice: Slice) -> String { String(decoding: slice.bytes(in: incoming.bytes), as: UTF8.self) }
        let head = incoming.head
        var headers: [(name: String, value: String)] = []
        for field in head.fields {
            switch field.id {
            // Credentials have been read; nobody behind here needs them.
            case .cookie, .authorization, .proxyAuthorization, .xAPIKey, .gatehouseKey, .gatehouseProxySecret: continue
            default: headers.append((text(field.name), text(field.value)))
            }
        }
        let host = head.host.bytes(in: incoming.bytes).bindMemory(to: UInt8.self)
        return LocalRequest(
            method: text(head.method), path: text(head.path), query: head.query.map(text),
            host: HostName.canonical(host.span).map { String(decoding: $0, as: UTF8.self) } ?? "", headers: headers,
            body: [], identity: identity, clientAddress: current.clientAddress, requestID: current.id.text)
    }

    func collectBody(_ buffer: inout ByteBuffer) -> Bool {
        let reader = body
        let step = buffer.withUnsafeReadableBytes { bytes -> (used: Int, reader: BodyReader, state: Collected) in
            var reader = reader
            var position = 0
            while true {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
                switch reader.next(rest) {
                case .data(let range, let consumed):
                    guard collected.count + range.count <= Self.localBodyLimit else {
                        return (position, reader, .tooLarge)
                    }
                    collected.append(contentsOf: rest[range])
                    position += consumed
                    if reader.isEmpty { return (position, reader, .complete) }
                case .needMore(let consumed): return (position + consumed, reader, .more)
                case .end(let consumed): return (position + consumed, reader, .complete)
                case .invalid(let refusal): return (position, reader, .invalid(refusal))
                }
            }
        }
        body = step.reader
        buffer.moveReaderIndex(forwardBy: step.used)
        switch step.state {
        case .more:
            if step.used > 0 { clientDeadline = loop.ticks + site.patience.body }
            current.bodyReceived &+= Int64(step.used)
        case .complete:
            exchange.collected()
            respond()
        case .tooLarge:
            exchange.closeAfterwards()
            answerFailure(status: 413, reason: .tooLarge, detail: "The request body is too large.")
            return true
        case .invalid(let refusal):
            exchange.closeAfterwards()
            answerFailure(
                status: refusal.status, reason: refusal.reason, detail: "The request body was refused.", malformed: true
            )
        }
        return false
    }

    private enum Collected {
        case more, complete, tooLarge
        case invalid(HTTPWire.Refusal)
    }

    func respond() {
        clientDeadline = .max
        guard var request = localRequest else { return }
        request.body = collected
        collected = []
        let lane = loop.responders.lazy.map { $0.lane(of: request) }.first { $0 != .prompt } ?? .prompt
        guard loop.shared.takeLocalRequest(lane, isKnown: request.identity != nil) else {
            if let refusal = refusalPage {
                localRequest = nil
                return answerRefused(refusal)
            }
            return answerFailure(
                status: 429, reason: .rateLimited, detail: "Too many requests are being answered: try again soon.")
        }
        errand &+= 1
        let mine = errand
        let responders = loop.responders
        let shared = loop.shared
        let eventLoop = loop.eventLoop
        let handler = NIOLoopBound(self, eventLoop: eventLoop)
        let whole = request
        Task {
            var answer: LocalResponse?
            for responder in responders {
                answer = await responder.respond(to: whole)
                if answer != nil { break }
            }
            let found = answer
            shared.returnLocalRequest(lane)
            eventLoop.execute {
                let handler = handler.value
                guard handler.errand == mine, handler.exchange.state == .responding else { return }
                handler.answerLocally(found)
            }
        }
    }

    private func answerLocally(_ response: LocalResponse?) {
        let refusal = refusalPage
        guard let response, refusal == nil || response.status == refusal?.status else {
            if let refusal {
                localRequest = nil
                answerRefused(refusal)
                return resumeInput()
            }
            answerFailure(status: 404, reason: nil, detail: "There is nothing here.")
            return resumeInput()
        }
        refusalPage = nil
        let reason = refusal == nil ? noteLocalAnswer(response) : refusal?.reason
        localRequest = nil
        localCredential = .none
        let setting = setting
        let hasBody = response.status != 204 && response.status != 304 && response.status >= 200
        loop.clearScratch()
        AnswerWriter.writeStatusLine(response.status, into: &loop.scratch)
        loop.writeDate(at: loop.clock.now(), into: &loop.scratch)
        for (name, value) in response.headers where Self.isWritable(name, value) {
            loop.scratch.writeString(name)
            loop.scratch.writeStaticString(": ")
            loop.scratch.writeString(value)
            loop.scratch.writeStaticString("\r\n")
        }
        writeReasonAndID(reason)
        AnswerWriter.writeConnection(setting, into: &loop.scratch)
        if hasBody {
            AnswerWriter.writeBody(ByteBuffer(bytes: response.body), setting, into: &loop.scratch)
        } else {
            loop.scratch.writeStaticString("\r\n")
        }
        write(loop.scratch)
        conclude(status: response.status)
        resumeInput()
    }

    /// Framing and connection headers are ours; nothing may end a line.
    private static func isWritable(_ name: String, _ value: String) -> Bool {
        var name = name
        var value = value
        return name.withUTF8 { name in
            value.withUTF8 { value in
                let id = FieldID.of(UnsafeRawBufferPointer(name))
                guard !HeaderHygiene.isHopByHop(id), id != .contentLength, id != .date, id != .xRequestID else {
                    return false
                }
                return !name.isEmpty && !name.contains { $0 <= 0x20 || $0 >= 0x7f || $0 == UInt8(ascii: ":") }
                    && HeaderHygiene.isSafeValue(UnsafeRawBufferPointer(value))
            }
        }
    }
}
