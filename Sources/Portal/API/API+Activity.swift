internal import Accounts
internal import Core

extension Endpoint {
    static let activityOperations: [Endpoint] = [
        api("POST", "/email/change") { try await $0.apiChangeEmail() },
        api("GET", "/audit-logs") { try $0.apiActivity() },
    ]
}

private enum ActivityWire {
    struct Email: APIBody {
        var email: String

        enum CodingKeys: String, CodingKey, CaseIterable {
            case email
        }
    }

    /// An event with every member of the vocabulary, `null` where it does not apply. How it is chained to the event
    /// before, which may be somebody else's, is left out.
    struct Event: Encodable {
        var event: AuditEvent

        enum CodingKeys: String, CodingKey {
            case sequence, success, reason, actor, user, route, session, metadata
            case createdAt = "created_at"
            case type = "event_type"
            case userID = "user_id"
            case address = "ip_address"
            case userAgent = "user_agent"
            case requestID = "request_id"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(event.sequence, forKey: .sequence)
            try container.encode(event.createdAt.rfc3339, forKey: .createdAt)
            try container.encode(event.type, forKey: .type)
            try container.encode(event.success, forKey: .success)
            try container.encode(event.reason, forKey: .reason)
            try container.encode(event.actor, forKey: .actor)
            try container.encode(event.user, forKey: .user)
            try container.encode(event.userID, forKey: .userID)
            try container.encode(event.route, forKey: .route)
            try container.encode(event.session, forKey: .session)
            try container.encode(event.ipAddress, forKey: .address)
            try container.encode(event.userAgent, forKey: .userAgent)
            try container.encode(event.requestID, forKey: .requestID)
            try container.encode(event.metadata, forKey: .metadata)
        }
    }
}

extension PortalRequest {
    /// The same answer whether the address can be had or not.
    func apiChangeEmail() async throws -> Answer {
        let principal = try writer()
        let email = try body(ActivityWire.Email.self).email
        guard configuration.sendsMail else { throw PortalFailure.noMail }
        try await operations.changeEmail(of: principal, to: email, from: client())
        return Self.accepted
    }

    /// The asker's own events, newest first, and where the next ones are.
    func apiActivity() throws -> Answer {
        let principal = try principal()
        let part = try listPart()
        let before = try part.sequence()
        let activity = try operations.activity(of: principal, limit: part.limit, before: before)
        return try json(activity.events.map(ActivityWire.Event.init), part, next: activity.next.map { "\($0)" })
    }

    /// Digits and nothing else.
    static func wholeNumber(_ text: String) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt64(text)
    }
}

extension ListPart {
    /// `before` of events. A position is a number that anybody may make up: it leads to nobody else's.
    fileprivate func sequence() throws(PortalFailure) -> UInt64? {
        guard let before else { return nil }
        guard let number = PortalRequest.wholeNumber(before), number > 0 else {
            throw PortalFailure(
                status: 400, code: "invalid_request", detail: "before is the sequence of an event, from 1.")
        }
        return number
    }
}
