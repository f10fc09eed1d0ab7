import Core
import HTTPWire
import Policy

/// nginx's `auth_request`: `X-Original-URL` (`$scheme://$host$request_uri`), `X-Original-Method` and
/// `X-Forwarded-For`; every 2xx passes, 401 and 403 refuse, anything else is a 500 for the client.
enum NginxDialect: CheckDialect {
    static let name = "nginx"

    static func describe(_ incoming: FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure> {
        let fields = incoming.head.fields
        let bytes = incoming.bytes
        var url = -1
        var method = -1
        for index in fields.indices {
            if fields[index].id == .xOriginalURL, url < 0 { url = index }
            if fields[index].id == .xOriginalMethod, method < 0 { method = index }
        }
        guard url >= 0, method >= 0 else { return .failure(CheckFailure(reason: .descriptionMissing)) }
        let target = fields[url].value.bytes(in: bytes)
        let methodBytes = fields[method].value.bytes(in: bytes)
        guard !target.isEmpty, !methodBytes.isEmpty else {
            return .failure(CheckFailure(reason: .descriptionMissing))
        }
        guard isToken(methodBytes), !isRefusedMethod(methodBytes) else {
            return .failure(CheckFailure(reason: .methodRefused))
        }
        let parts: RequestTarget.Parts
        do {
            parts = try RequestTarget.check(target)
        } catch {
            return .failure(CheckFailure(reason: error.reason ?? .pathRefused))
        }
        // Without an authority there is no host to judge by, and the sub-request's own is not the client's.
        guard !parts.authority.isEmpty, !parts.isAsterisk else {
            return .failure(CheckFailure(reason: .descriptionMissing))
        }
        let description = CheckDescription(
            method: methodBytes, host: parts.authority.bytes(in: target), path: parts.path.bytes(in: target),
            traits: parts.traits, query: parts.query?.bytes(in: target))
        if let conflict = conflict(with: description, of: url, incoming) { return .failure(conflict) }
        return .success(description)
    }

    static func refusal(_ verdict: Verdict, _ reason: Reason, state: CredentialState) -> RefusalAnswer {
        RefusalAnswer(narrow: verdict, reason, state: state)
    }

    /// Another header, or another spelling of the same, that says something else.
    private static func conflict(
        with description: CheckDescription, of url: Int, _ incoming: FrontHandler.Incoming
    ) -> CheckFailure? {
        let bytes = incoming.bytes
        for index in incoming.head.fields.indices where index != url {
            let field = incoming.head.fields[index]
            guard let fact = DescriptionSources.fact(of: field, in: bytes) else { continue }
            let value = field.value.bytes(in: bytes)
            let agrees: Bool
            let told: UnsafeRawBufferPointer
            switch fact {
            case .method:
                told = description.method
                agrees = ByteSearch.equal(value, told)
            case .path:
                told = description.path
                agrees = pathAgrees(value, description)
            case .host:
                told = description.host
                agrees = ByteSearch.equalIgnoringCase(
                    DescriptionSources.bareHost(value), DescriptionSources.bareHost(told))
            case .client:
                // The one spelling that is read is the one with dashes.
                told = field.name.bytes(in: bytes)
                agrees = field.id == .xForwardedFor || incoming.scan.forwardedFor == 0
            }
            guard agrees else {
                return CheckFailure(reason: .descriptionConflict, values: [printable(told), printable(value)])
            }
        }
        return nil
    }

    private static func pathAgrees(_ value: UnsafeRawBufferPointer, _ description: CheckDescription) -> Bool {
        guard let parts = try? RequestTarget.check(value) else { return false }
        let sameHost =
            parts.authority.isEmpty
            || ByteSearch.equalIgnoringCase(
                DescriptionSources.bareHost(parts.authority.bytes(in: value)),
                DescriptionSources.bareHost(description.host))
        return sameHost && ByteSearch.equal(parts.path.bytes(in: value), description.path)
    }

    private static func printable(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes.prefix(200).map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }

    private static func isRefusedMethod(_ bytes: UnsafeRawBufferPointer) -> Bool {
        ASCIIText.equalsIgnoringCase(bytes, "connect") || ASCIIText.equalsIgnoringCase(bytes, "trace")
    }

    /// RFC 9110 section 5.6.2.
    private static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: continue
            case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
                UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
                continue
            default: return false
            }
        }
        return true
    }
}
