import Core
import Policy

/// From where an Upgrade by cookie may come.
enum UpgradeOrigin {
    /// - Parameters:
    ///   - origin: the field's value.
    ///   - host: what the request was sent to, with or without a port.
    ///   - scheme: under which clients reach the route.
    ///   - others: origins that the operator trusts.
    static func isAllowed(
        _ origin: UnsafeRawBufferPointer, host: UnsafeRawBufferPointer, scheme: Scheme, others: [String]
    ) -> Bool {
        for other in others where other.utf8.count == origin.count && other.utf8.elementsEqual(origin) { return true }
        let start: StaticString = scheme == .https ? "https://" : "http://"
        guard ByteSearch.hasPrefixIgnoringCase(origin, start) else { return false }
        let authority = UnsafeRawBufferPointer(rebasing: origin[start.utf8CodeUnitCount...])
        guard let asking = HostName.canonical(authority.bindMemory(to: UInt8.self).span) else { return false }
        return asking == HostName.canonical(host.bindMemory(to: UInt8.self).span)
    }
}
