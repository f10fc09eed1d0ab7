import Core

/// The readings of a method that has lower-case letters. Methods are case-sensitive (RFC 9110 section 9.1), but many
/// frameworks raise them to upper case before they look (Werkzeug, Django, Symfony): for those `delete` is `DELETE`, and
/// a rule for `DELETE` alone would not see it. What anybody can make of it is judged, each in turn.
///
/// Nearly all methods have none, and those are judged as they lie.
enum MethodReadings {
    @inline(__always)
    static func areTwo(_ method: Span<UInt8>) -> Bool {
        for index in method.indices where method[index] &- 0x61 < 26 { return true }
        return false
    }

    static func raised(_ method: Span<UInt8>) -> [UInt8] {
        var raised: [UInt8] = []
        raised.reserveCapacity(method.count)
        for index in method.indices { raised.append(method[index] &- 0x61 < 26 ? method[index] ^ 0x20 : method[index]) }
        return raised
    }

    /// For whoever compares byte for byte, `options` is no preflight.
    @_lifetime(copy facts)
    static func asSent(_ facts: borrowing Facts) -> Facts {
        Facts(
            method: facts.method, host: facts.host, path: facts.path, clientAddress: facts.clientAddress,
            isPreflight: false, now: facts.now)
    }

    @_lifetime(copy facts, copy method)
    static func raised(_ facts: borrowing Facts, _ method: Span<UInt8>) -> Facts {
        Facts(
            method: method, host: facts.host, path: facts.path, clientAddress: facts.clientAddress,
            isPreflight: facts.isPreflight, now: facts.now)
    }
}
