public import Core
internal import Cryptography

/// An address that is told of events (`webhooks`), as the configuration names it.
public struct Webhook: Sendable {
    /// Made from the address: another address is another webhook, which is told of what happens from then on.
    public let id: String
    /// Where events are posted; https, or http to loopback.
    public let url: String
    private let key: SymmetricKey
    private let events: [String]

    /// - Parameters:
    ///   - secret: `whsec_` and base 64, or any text, which is the key itself then.
    ///   - events: event types, beginnings of such with a `*` at the end, or `*`.
    /// - Throws: when the secret cannot be used as a key.
    public init(url: String, secret: SecretBytes, events: [String]) throws {
        id = "hook_" + String(SHA256.digest(url).hex.prefix(24))
        self.url = url
        self.events = events
        let prefix = Array("whsec_".utf8)
        let decoded: [UInt8]? = secret.withUnsafeBytes { bytes in
            guard bytes.starts(with: prefix) else { return nil }
            return Base64.decode(Array(bytes.dropFirst(prefix.count)).span)
        }
        let bytes = decoded ?? secret.withUnsafeBytes { Array($0) }
        guard bytes.count >= 16 else { throw AccountsError(.invalid, "The secret of a webhook is too short.") }
        // HMAC fills a key up with zeros itself; the specification begins at 24 bytes.
        key = try SymmetricKey(SecretBytes(copying: bytes + Array(repeating: 0, count: max(0, 64 - bytes.count))))
    }

    /// Its scheme, host and port: what stands behind may be a secret of its own.
    var origin: String {
        guard let start = url.firstRange(of: "://") else { return "" }
        let rest = url[start.upperBound...]
        return String(url[..<(rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex)])
    }

    /// Is told of events of this type.
    func wants(_ type: String) -> Bool {
        events.contains { $0.hasSuffix("*") ? type.hasPrefix($0.dropLast()) : $0 == type }
    }

    /// The headers of a message, as Standard Webhooks (standardwebhooks.com) has them: `webhook-signature` is the
    /// HMAC-SHA-256 over id, time and body, so that nobody else can send one, and none can be sent again later.
    func headers(id: String, at now: Timestamp, body: [UInt8]) throws -> [(name: String, value: String)] {
        let signed = Array("\(id).\(now.seconds).".utf8) + body
        let code = try key.sign(signed.span, hash: .sha256)
        return [
            ("Content-Type", "application/json"), ("webhook-id", id), ("webhook-timestamp", "\(now.seconds)"),
            ("webhook-signature", "v1,\(Base64.encode(code))"),
        ]
    }
}

/// An event on its way to a webhook.
public struct WebhookMessage: Sendable {
    /// What is to be posted.
    public let request: FetchRequest
    let webhook: Webhook
    let step: WebhookRecord.Step
}
