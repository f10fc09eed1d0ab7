import Core
import HTTPWire
import Logging
import NIOCore
import Policy

/// The answers that are ours. Every way through here ends in a refusal or a failure, but for the two that say
/// otherwise in their names.
extension FrontHandler {
    /// Passes over as much of the body as is there, so that the answer can say whether the connection stays.
    func skipBody(_ incoming: borrowing Incoming) {
        guard !exchange.requestEnded else { return }
        let rest = UnsafeRawBufferPointer(rebasing: incoming.bytes[incoming.head.headLength...])
        guard let measure = body.measure(rest), measure.end else { return }
        current.skippedBody = measure.consumed
        exchange.bodySkipped()
    }

    var setting: AnswerWriter.Setting {
        AnswerWriter.Setting(
            isHead: current.isHead, isOldVersion: current.isOldVersion, keepsAlive: exchange.answerKeepsAlive)
    }

    /// Refuses with a problem document.
    ///
    /// - Parameters:
    ///   - location: where a person goes on, for proxies that can pass it on.
    ///   - described: what a proxy asks about.
    ///   - hasBody: false: the head alone says why.
    ///   - malformed: the connection is closed at once behind the answer.
    func refuse(
        _ incoming: borrowing Incoming, _ answer: RefusalAnswer, _ state: CredentialState = .none,
        location: String? = nil,
        described: CheckDescription? = nil, hasBody: Bool = true, malformed: Bool = false
    ) {
        if malformed { exchange.closeAfterwards() } else { skipBody(incoming) }
        noteRefused(incoming, answer, state, described)
        if current.access == nil {
            noteAccess(incoming, state: state, verdict: answer.verdict, reason: answer.reason)
        } else {
            // Let through, and refused for something else.
            current.access?.verdict = answer.verdict
            current.access?.reason = answer.reason
        }
        let wantsBasic = current.route >= 0 && site.snapshot.routes[current.route].challenge == .basic
        let basic = wantsBasic && incoming.scan.fetchMode < 0 && !incoming.scan.hasRequestedWith
        writeRefusal(answer, basic: basic, detail: nil, location: location, hasBody: hasBody)
        conclude(status: answer.status, malformed: malformed)
    }

    /// Whether somebody opened a page without being known: that is how every sign-in begins, and no denial to keep.
    func noteRefused(
        _ incoming: borrowing Incoming, _ answer: RefusalAnswer, _ state: CredentialState,
        _ described: CheckDescription? = nil
    ) {
        defer {
            current.refusingRule = -1
            if !current.refusingShadow.isEmpty { current.refusingShadow = [] }
        }
        loop.counters.countRefused(
            route: countedRoute, shape: current.shape, verdict: answer.verdict, reason: answer.reason)
        guard let reason = answer.reason else { return }
        var denial = Denial(
            reason: reason, route: current.route >= 0 ? site.snapshot.routes[current.route].name : nil, user: nil,
            subject: nil, credentialID: nil, address: current.clientAddress, requestID: "", at: incoming.now)
        switch state {
        case .none:
            if reason == .signInRequired, incoming.scan.isNavigation(incoming.head, incoming.bytes) { return }
        case .identity(let identity):
            denial.user = identity.user
            denial.subject = identity.subject
            denial.credentialID = identity.credentialID
        case .refused(let refusal):
            denial.user = refusal.user
            denial.subject = refusal.subject
            denial.credentialID = refusal.credentialID
        }
        denial.requestID = current.id.text
        if loop.context.decisions.keepsRequest(at: incoming.now) {
            denial.asked = asked(incoming, answer.verdict, described)
        }
        loop.context.decisions.denied(denial)
    }

    func writeRefusal(
        _ answer: RefusalAnswer, basic: Bool, detail: String?, location: String? = nil, hasBody: Bool = true
    ) {
        let setting = setting
        var body = ByteBuffer()
        if hasBody {
            body = ProblemDocument.make(
                status: answer.status, reason: answer.reason, detail: detail, requestID: current.id,
                loginURL: site.loginURL)
        }
        loop.clearScratch()
        AnswerWriter.writeStatusLine(answer.status, into: &loop.scratch)
        loop.writeDate(at: loop.clock.now(), into: &loop.scratch)
        if hasBody { loop.scratch.writeStaticString("Content-Type: application/problem+json\r\n") }
        loop.scratch.writeStaticString("Cache-Control: no-store\r\n")
        AuthenticateHeader.write(answer.authentication, basic: basic, into: &loop.scratch)
        if let location {
            loop.scratch.writeStaticString("Location: ")
            loop.scratch.writeString(location)
            loop.scratch.writeStaticString("\r\n")
        }
        if answer.status == 405 {
            loop.scratch.writeStaticString("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
        }
        if let seconds = answer.retryAfter ?? (answer.status == 503 || answer.status == 429 ? 1 : nil) {
            loop.scratch.writeStaticString("Retry-After: ")
            loop.scratch.writeString("\(seconds)\r\n")
        }
        writeReasonAndID(answer.reason)
        AnswerWriter.writeConnection(setting, into: &loop.scratch)
        AnswerWriter.writeBody(body, setting, into: &loop.scratch)
        write(loop.scratch)
    }

    func writeReasonAndID(_ reason: Reason?) {
        if let reason {
            loop.scratch.writeStaticString("Gatehouse-Reason: ")
            loop.scratch.writeString(reason.rawValue)
            loop.scratch.writeStaticString("\r\n")
        }
        loop.scratch.writeStaticString("X-Request-Id: ")
        current.id.write(into: &loop.scratch)
        loop.scratch.writeStaticString("\r\n")
    }

    /// An answer of ours is written: what is counted and logged, and what comes next.
    func conclude(status: Int, malformed: Bool = false) {
        current.status = status
        finishTiming()
        perform(exchange.answered(malformed: malformed))
    }

    /// A path with more than one reading, where the route does not keep it.
    func refusePath(_ incoming: borrowing Incoming, _ refusal: HTTPWire.Refusal) {
        loop.logger.info(
            "a path was refused",
            metadata: [
                "code": "\(refusal.code.rawValue)", "keep_in_path": "\(refusal.liftedBy.map { "\($0)" } ?? "-")",
                "request_id": "\(current.id.text)",
            ])
        refuse(incoming, RefusalAnswer(status: 400, reason: .pathRefused, verdict: .deny), malformed: true)
    }

    /// Two headers of ours that differ.
    func refuseConflict(_ incoming: borrowing Incoming) {
        refuse(incoming, RefusalAnswer(status: 400, reason: .credentialsDisagree, verdict: .deny), malformed: true)
    }

    /// `OPTIONS *` is about this server (RFC 9110 section 9.3.7).
    func answerAboutServer(_ incoming: borrowing Incoming) {
        skipBody(incoming)
        noteAccess(incoming, state: .none, verdict: .allow, reason: nil)
        let setting = setting
        loop.clearScratch()
        AnswerWriter.writeStatusLine(204, into: &loop.scratch)
        loop.writeDate(at: incoming.now, into: &loop.scratch)
        loop.scratch.writeStaticString("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
        writeReasonAndID(nil)
        AnswerWriter.writeConnection(setting, into: &loop.scratch)
        loop.scratch.writeStaticString("\r\n")
        write(loop.scratch)
        conclude(status: 204)
    }

    /// Something went wrong after the verdict.
    func answerFailure(status: Int, reason: Reason?, detail: String, malformed: Bool = false) {
        if let reason { current.access?.reason = reason }
        countFailure(reason)
        writeRefusal(RefusalAnswer(status: status, reason: reason, verdict: .deny), basic: false, detail: detail)
        conclude(status: status, malformed: malformed)
    }

    // MARK: Counting and logging

    /// How long the exchange took, and its access line.
    ///
    /// - Parameter isTunnel: the line comes when the tunnel ends.
    func finishTiming(isTunnel: Bool = false) {
        let nanoseconds = NIODeadline.now().uptimeNanoseconds &- current.started
        let microseconds = Int64(truncatingIfNeeded: nanoseconds / 1000)
        loop.counters.time(route: countedRoute, shape: current.shape, microseconds: microseconds)
        guard current.access != nil else { return }
        if isTunnel { current.access?.isTunnel = true } else { writeAccessLine() }
    }

    /// The route's place in the loop's numbers, which are those of the newest configuration: an exchange that began
    /// before a reload counts for the route of the same name.
    var countedRoute: Int {
        guard site !== loop.site, current.route >= 0 else { return current.route }
        return loop.counters.place(ofRoute: site.snapshot.routes[current.route].name)
    }
}
