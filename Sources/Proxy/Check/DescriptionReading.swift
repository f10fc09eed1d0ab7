import Core
import HTTPWire

/// What the dialects have in common when they read a description.
enum DescriptionReading {
    /// `X-Forwarded-Method`, `-Host` and `-Uri`, as Traefik, Caddy and HAProxy send them. The path has origin-form.
    static func forwarded(_ incoming: borrowing FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure> {
        let fields = incoming.head.fields
        let bytes = incoming.bytes
        var method = -1
        var host = -1
        var target = -1
        for index in fields.indices {
            switch fields[index].id {
            case .xForwardedMethod where method < 0: method = index
            case .xForwardedHost where host < 0: host = index
            case .xForwardedURI where target < 0: target = index
            default: break
            }
        }
        guard method >= 0, host >= 0, target >= 0 else { return missing }
        let methodBytes = fields[method].value.bytes(in: bytes)
        let hostBytes = fields[host].value.bytes(in: bytes)
        let targetBytes = fields[target].value.bytes(in: bytes)
        guard !targetBytes.isEmpty, RequestTarget.isHost(hostBytes) else { return missing }
        if let failure = failure(ofMethod: methodBytes) { return .failure(failure) }
        let parts: RequestTarget.Parts
        do {
            parts = try RequestTarget.check(targetBytes)
        } catch {
            return .failure(failure(of: error))
        }
        // A second host, or none that has a path.
        guard parts.authority.isEmpty, !parts.isAsterisk else { return missing }
        let description = CheckDescription(
            method: methodBytes, host: hostBytes, path: parts.path.bytes(in: targetBytes), traits: parts.traits,
            query: parts.query?.bytes(in: targetBytes))
        if let conflict = conflict(with: description, besides: target, incoming) { return .failure(conflict) }
        return .success(description)
    }

    static var missing: Result<CheckDescription, CheckFailure> {
        .failure(CheckFailure(reason: .descriptionMissing))
    }

    /// Why a target is none that can be judged: what names no path at all is a malformed description, a path that nobody
    /// should be let through with is a refused one.
    static func failure(of refusal: HTTPWire.Refusal) -> CheckFailure {
        switch refusal.code {
        case .targetInvalid, .hostInvalid: CheckFailure(reason: .descriptionMissing)
        default: CheckFailure(reason: refusal.reason ?? .pathRefused)
        }
    }

    /// Why a method is none that may be asked about: a malformed description where it is no token (RFC 9110 section
    /// 5.6.2) or longer than a request line allows, a refused method where inline it is refused, too.
    static func failure(ofMethod method: UnsafeRawBufferPointer) -> CheckFailure? {
        guard method.count <= 64, isToken(method) else { return CheckFailure(reason: .descriptionMissing) }
        let isRefused = ASCIIText.equalsIgnoringCase(method, "connect") || ASCIIText.equalsIgnoringCase(method, "trace")
        return isRefused ? CheckFailure(reason: .methodRefused) : nil
    }

    /// Another header, or another spelling of the same, that says something else.
    ///
    /// - Parameter own: the field that the path was taken from; -1 when it was none.
    static func conflict(
        with description: CheckDescription, besides own: Int, _ incoming: borrowing FrontHandler.Incoming
    ) -> CheckFailure? {
        let bytes = incoming.bytes
        for index in incoming.head.fields.indices where index != own {
            let field = incoming.head.fields[index]
            guard let fact = DescriptionSources.fact(of: field, in: bytes) else { continue }
            let value = field.value.bytes(in: bytes)
            let agrees: Bool
            let told: UnsafeRawBufferPointer
            switch fact {
            case .method:
                told = description.method
                agrees = ByteSearch.equal(value, told)
            case .methodOverride:
                // Whoever heeds it raises it to upper case; proxies empty what they take out.
                told = description.method
                agrees = value.isEmpty || ByteSearch.equalIgnoringCase(value, told)
            case .forwarded:
                told = description.host
                agrees = ForwardedHosts.agree(value, with: told)
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
        return !bytes.isEmpty
    }
}
