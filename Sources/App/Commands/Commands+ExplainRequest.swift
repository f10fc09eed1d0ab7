internal import Accounts
internal import Core
internal import Policy
internal import Settings

extension Commands {
    /// `explain --request ID`: what really happened to a request that was refused.
    ///
    /// The server writes refusals down once a second, so a request of just now is waited for where one runs.
    public static func explain(_ invocation: Invocation, request id: String, expected: String?) async throws {
        let context = try invocation.context()
        if let expected, Verdict(rawValue: expected) == nil {
            throw CommandFailure(.usage, "--expect is allow, sign_in, step_up or deny")
        }
        guard RequestIDText.isGood(id) else {
            throw CommandFailure(
                .usage, "a request’s id is 1 to 128 letters, digits and . _ -, as X-Request-Id says it")
        }
        let store = try Store.open(try context.storeConfiguration(readingMasterKey: false), clock: SystemClock())
        defer { store.close() }
        var found = try store.refusals(of: id)
        let patience = ContinuousClock.now + .seconds(3)
        while found.isEmpty, ControlSocket.isThere(in: context.settings.dataFolder), ContinuousClock.now < patience {
            try await Task.sleep(for: .milliseconds(100))
            found = try store.refusals(of: id)
        }
        guard let refusal = found.first else {
            throw CommandFailure(
                .notFound,
                "no refusal of a request \(id) is kept: refusals are kept for a day, the last 10,000 of them; a request "
                    + "that was let through, or that was sent to sign in, is not among them")
        }
        let answer = RefusalAnswer(refusal, earlier: found.dropFirst().map { RefusalAnswer($0) })
        try context.output.value(answer) { answer.text }
        if let expected, expected != refusal.verdict {
            throw CommandFailure(.failed, "expected \(expected), the verdict was \(refusal.verdict)")
        }
    }
}

/// What a request's id may be made of.
enum RequestIDText {
    static func isGood(_ id: String) -> Bool {
        (1...128).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// The document of the contract with what else is known; a refusal told no headers to any app.
private struct RefusalAnswer: Encodable {
    let verdict: String
    let route: String?
    let rule: Int?
    let reason: String?
    let headers: [String: String] = [:]
    let request_id: String
    let at: String
    let method: String
    let host: String
    let path: String
    let user: String?
    let credential: String?
    let address: String?
    let shape: String
    /// What rules in the shadow would have decided, where it is something else.
    let shadow: [ShadowVerdict]
    /// Others of the same id, which a client has used again, the newest first.
    let earlier: [RefusalAnswer]

    init(_ refusal: KeptRefusal, earlier: [RefusalAnswer] = []) {
        verdict = refusal.verdict
        route = refusal.route
        rule = refusal.rule
        reason = refusal.reason.isEmpty ? nil : refusal.reason
        request_id = refusal.requestID
        at = refusal.at.rfc3339
        method = Self.plain(refusal.method)
        host = Self.plain(refusal.host)
        path = Self.plain(refusal.path)
        user = refusal.user
        credential = refusal.credential
        address = refusal.address
        shape = refusal.shape
        shadow = refusal.shadow ?? []
        self.earlier = earlier
    }

    private enum CodingKeys: String, CodingKey {
        case verdict, route, rule, reason, headers, request_id, at, method, host, path, user, credential, address, shape
        case shadow, earlier
    }

    /// What is not known is null, not left out.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(verdict, forKey: .verdict)
        try container.encode(route, forKey: .route)
        try container.encode(rule, forKey: .rule)
        try container.encode(reason, forKey: .reason)
        try container.encode(headers, forKey: .headers)
        try container.encode(request_id, forKey: .request_id)
        try container.encode(at, forKey: .at)
        try container.encode(method, forKey: .method)
        try container.encode(host, forKey: .host)
        try container.encode(path, forKey: .path)
        try container.encode(user, forKey: .user)
        try container.encode(credential, forKey: .credential)
        try container.encode(address, forKey: .address)
        try container.encode(shape, forKey: .shape)
        try container.encode(shadow, forKey: .shadow)
        try container.encode(earlier, forKey: .earlier)
    }

    /// Whatever a client sent does nothing to a terminal.
    private static func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? $0 : "?" }))
    }

    var text: String {
        let rows: [(String, String?)] = [
            ("request", "\(method) \(host)\(path)"), ("at", at), ("asked", shape), ("route", route ?? "none"),
            ("rule", rule.map { "\($0)" } ?? "none"), ("user", user ?? "nobody"), ("credential", credential),
            ("address", address ?? "unknown"),
        ]
        let lines = rows.compactMap { name, value in
            value.map { "  \(name)\(String(repeating: " ", count: 12 - name.count))\($0)" }
        }
        let shadows = shadow.map { result in
            let rule = result.ruleName.map { "“\($0)”" } ?? "\(result.rule)"
            return "  in the shadow, rule \(rule) would have said \(result.verdict)"
                + (result.reason.map { " (\($0))" } ?? "")
        }
        let others = earlier.isEmpty ? [] : ["the same id was used before:"] + earlier.map(\.text)
        return (["\(verdict) (\(reason ?? "it could not be read"))"] + lines + shadows + others).joined(separator: "\n")
    }
}
