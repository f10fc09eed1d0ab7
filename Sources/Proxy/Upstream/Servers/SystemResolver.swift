public import Core
import Glibc

/// What this machine says about names (`getaddrinfo`): its hosts file, its name servers, whatever it is set up to ask.
public struct SystemResolver: NameResolving {
    /// There is nothing to set up.
    public init() {}

    public func addresses(of host: String) throws(NameResolutionError) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        // One entry an address, not one for each kind of socket.
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { throw NameResolutionError(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var entry = list
        while let current = entry {
            if let address = Self.address(current.pointee), !found.contains(address) { found.append(address) }
            entry = current.pointee.ai_next
        }
        guard !found.isEmpty else { throw NameResolutionError("the name has no address") }
        return found
    }

    /// The members of these structures belong to another module, so they are read where Linux has them: the address
    /// behind family and port (2 + 2 bytes), in IPv6 behind the flow label too (4 bytes).
    private static func address(_ entry: addrinfo) -> IPAddress? {
        guard let raw = UnsafeRawPointer(entry.ai_addr) else { return nil }
        if entry.ai_family == AF_INET, Int(entry.ai_addrlen) >= MemoryLayout<sockaddr_in>.size {
            return IPAddress(v4: UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        }
        if entry.ai_family == AF_INET6, Int(entry.ai_addrlen) >= MemoryLayout<sockaddr_in6>.size {
            return IPAddress(v6: UInt128(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt128.self)))
        }
        return nil
    }
}
