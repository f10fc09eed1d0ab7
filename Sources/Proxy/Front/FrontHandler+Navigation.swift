import Core
import HTTPWire
import NIOCore
import Policy

/// Refusals of people: where others get a problem document, a browser that opens a page is sent on.
extension FrontHandler {
    /// The address that was asked for, as a person would come back to it.
    struct PageAddress {
        let scheme: Scheme
        let host: UnsafeRawBufferPointer
        let path: UnsafeRawBufferPointer
        let query: UnsafeRawBufferPointer?

        /// The target of the login page may have 8 KiB, and there are its other fields. Longer ones are left out.
        static let longest = 8000

        /// Without a colon that no port stands behind.
        private var bareHost: UnsafeRawBufferPointer {
            host.last == UInt8(ascii: ":") ? UnsafeRawBufferPointer(rebasing: host.dropLast()) : host
        }

        /// As the value of a query; empty when it would be too long.
        var escaped: String {
            let full = escaped(sparingly: false)
            if full.utf8.count <= QueryValue.usual { return full }
            let short = escaped(sparingly: true)
            return short.utf8.count <= Self.longest ? short : ""
        }

        private func escaped(sparingly: Bool) -> String {
            var text = QueryValue.escaped("\(scheme.rawValue)://".utf8, sparingly: sparingly)
            text += QueryValue.escaped(bareHost, sparingly: sparingly)
            text += QueryValue.escaped(path, sparingly: sparingly)
            if let query {
                text += QueryValue.escaped("?".utf8, sparingly: sparingly)
                text += QueryValue.escaped(query, sparingly: sparingly)
            }
            return text
        }
    }

    /// Refuses inline: with a way on for whoever opened a page, with a problem document for everybody else.
    func refuseNavigation(
        _ incoming: borrowing Incoming, _ answer: RefusalAnswer, _ state: CredentialState, _ route: Route
    ) {
        guard incoming.scan.isNavigation(incoming.head, incoming.bytes) else { return refuse(incoming, answer, state) }
        switch answer.verdict {
        case .signIn, .stepUp:
            // Another sign-in mends no credential in a header.
            if case .refused(let refusal) = state, refusal.reason != .credentialsDisagree {
                return refuse(incoming, answer, state)
            }
            let page = PageAddress(
                scheme: route.scheme, host: incoming.head.host.bytes(in: incoming.bytes),
                path: incoming.head.path.bytes(in: incoming.bytes),
                query: incoming.head.query?.bytes(in: incoming.bytes))
            noteRefused(incoming, answer, state)
            noteAccessOnce(incoming, answer, state)
            answerSeeOther(incoming, to: loginLocation(answer, page), reason: answer.reason)
        case .deny where answer.status == 403: showRefusal(incoming, answer, state)
        case .deny, .allow: refuse(incoming, answer, state)
        }
    }

    /// Refuses a check by sending the person on.
    func refuseBySendingOn(
        _ incoming: borrowing Incoming, _ answer: RefusalAnswer, _ state: CredentialState, to place: String,
        described: CheckDescription
    ) {
        noteRefused(incoming, answer, state, described)
        noteAccessOnce(incoming, answer, state)
        answerSeeOther(incoming, to: place, reason: answer.reason)
    }

    /// What a check's refusal says of where a person goes on; nil for what is no page.
    func location(
        of answer: RefusalAnswer, _ description: CheckDescription, on route: Route, _ incoming: borrowing Incoming,
        _ state: CredentialState
    ) -> String? {
        let isPage = description.method.elementsEqual("GET".utf8) || description.method.elementsEqual("HEAD".utf8)
        guard isPage, incoming.scan.isNavigation(incoming.head, incoming.bytes) else { return nil }
        switch (answer.status, answer.verdict) {
        case (401, .signIn), (401, .stepUp):
            // Another sign-in mends no credential in a header.
            if case .refused(let refusal) = state, refusal.reason != .credentialsDisagree { return nil }
            return loginLocation(
                answer,
                PageAddress(
                    scheme: route.scheme, host: description.host, path: description.path, query: description.query))
        case (403, _): return "\(site.configuration.publicURL)/.auth/denied?request=\(current.id.text)"
        default: return nil
        }
    }

    private func loginLocation(_ answer: RefusalAnswer, _ page: PageAddress) -> String {
        let address = page.escaped
        var location = site.loginURL
        if !address.isEmpty { location += "?return_to=\(address)" }
        if answer.verdict == .stepUp, let reason = answer.reason {
            location += "\(address.isEmpty ? "?" : "&")step_up=\(reason.rawValue)"
        }
        return location
    }

    /// The page of a refusal is made by the portal, where there is one.
    private func showRefusal(_ incoming: borrowing Incoming, _ answer: RefusalAnswer, _ state: CredentialState) {
        skipBody(incoming)
        guard exchange.requestEnded, !loop.responders.isEmpty else { return refuse(incoming, answer, state) }
        var identity: Identity?
        if case .identity(let known) = state { identity = known }
        noteRefused(incoming, answer, state)
        noteAccessOnce(incoming, answer, state)
        var request = localRequest(incoming, identity)
        request.refusal = answer.reason ?? .ruleDenied
        localRequest = request
        refusalPage = answer
        collected.removeAll()
        exchange.collect()
        respond()
    }

    private func noteAccessOnce(_ incoming: borrowing Incoming, _ answer: RefusalAnswer, _ state: CredentialState) {
        guard current.access == nil else { return }
        noteAccess(incoming, state: state, verdict: answer.verdict, reason: answer.reason)
    }

    /// There was no page to be made; what was counted stays counted.
    func answerRefused(_ refusal: RefusalAnswer) {
        refusalPage = nil
        writeRefusal(refusal, basic: false, detail: nil)
        conclude(status: refusal.status)
    }

    /// `/` on the portal's host, which is the portal's where no route takes it.
    private func isPortalsFrontDoor(_ incoming: borrowing Incoming) -> Bool {
        let head = incoming.head
        let path = head.path.bytes(in: incoming.bytes)
        return path.count == 1 && path.first == UInt8(ascii: "/")
            && (head.methodKind == .get || head.methodKind == .head)
            && site.isPortal(head.host.bytes(in: incoming.bytes))
    }

    /// Nobody's path: the portal's front door, on a listener where there is a portal, or nothing.
    func answerWithoutRoute(_ incoming: borrowing Incoming) {
        guard isPortalsFrontDoor(incoming) else {
            return refuse(incoming, RefusalAnswer(status: 421, reason: .noRoute, verdict: .deny))
        }
        guard role.serve.contains(.portal) else { return refuseNotServed(incoming) }
        openFrontDoor(incoming)
    }

    /// A path of an app on a listener that serves none.
    func answerWithoutApps(_ incoming: borrowing Incoming) {
        current.clientAddress = clientAddress(incoming)
        guard role.serve.contains(.portal), isPortalsFrontDoor(incoming), !isTakenByRoute(incoming) else {
            return refuseNotServed(incoming)
        }
        openFrontDoor(incoming)
    }

    private func openFrontDoor(_ incoming: borrowing Incoming) {
        current.shape = .portal
        noteAccess(incoming, state: .none, verdict: .allow, reason: nil)
        loop.counters.countAllowed(route: -1, shape: .portal)
        answerSeeOther(incoming, to: "/.auth/account")
    }

    private func refuseNotServed(_ incoming: borrowing Incoming) {
        refuse(incoming, RefusalAnswer(status: 404, reason: .noRoute, verdict: .deny))
    }

    private func isTakenByRoute(_ incoming: borrowing Incoming) -> Bool {
        let head = incoming.head
        let method = head.method.bytes(in: incoming.bytes).bindMemory(to: UInt8.self)
        let host = head.host.bytes(in: incoming.bytes).bindMemory(to: UInt8.self)
        let path = head.path.bytes(in: incoming.bytes).bindMemory(to: UInt8.self)
        let facts = Facts(
            method: method.span, host: host.span, path: path.span, clientAddress: nil, isPreflight: false,
            now: incoming.now)
        return site.snapshot.route(for: facts) != nil
    }

    /// 303 without a body.
    func answerSeeOther(_ incoming: borrowing Incoming, to location: String, reason: Reason? = nil) {
        skipBody(incoming)
        let setting = setting
        loop.clearScratch()
        AnswerWriter.writeStatusLine(303, into: &loop.scratch)
        loop.writeDate(at: incoming.now, into: &loop.scratch)
        loop.scratch.writeStaticString("Cache-Control: no-store\r\nLocation: ")
        loop.scratch.writeString(location)
        loop.scratch.writeStaticString("\r\n")
        writeReasonAndID(reason)
        AnswerWriter.writeConnection(setting, into: &loop.scratch)
        AnswerWriter.writeBody(ByteBuffer(), setting, into: &loop.scratch)
        write(loop.scratch)
        conclude(status: 303)
    }
}
