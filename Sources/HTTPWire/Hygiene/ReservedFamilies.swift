/// The names that only Gatehouse may speak to an upstream, by their canonical form.
enum ReservedFamilies {
    /// True for the families of the contract and for aliases of the fields that frame a message: an upstream that
    /// reads `Content_Length` as `Content-Length` would read another body than ours.
    @inline(__always)
    static func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        guard name.count > 4, let base = name.baseAddress else { return false }
        switch CanonicalName.canonical(base.byte(0)) {
        case 0x78: return CanonicalName.canonical(base.byte(1)) == .dash && containsExtension(name)
        case 0x72: return CanonicalName.hasPrefix(name, "remote-")
        case 0x66: return CanonicalName.equals(name, "forwarded")
        case 0x67: return CanonicalName.hasPrefix(name, "gatehouse-")
        // CGI makes `Proxy` the variable that HTTP clients take for their proxy (httpoxy).
        case 0x70: return CanonicalName.hasPrefix(name, "proxy-") || CanonicalName.equals(name, "proxy")
        case 0x63: return isAlias(name, of: "content-length")
        case 0x74: return isAlias(name, of: "transfer-encoding")
        case 0x6B: return isAlias(name, of: "keep-alive")
        case 0x68: return isAlias(name, of: "http2-settings")
        default: return false
        }
    }

    private static func containsExtension(_ name: UnsafeRawBufferPointer) -> Bool {
        switch CanonicalName.canonical(name[2]) {
        case 0x66: return CanonicalName.hasPrefix(name, "x-forwarded-")
        case 0x61: return CanonicalName.hasPrefix(name, "x-auth-request-")
        case 0x72:
            return CanonicalName.equals(name, "x-real-ip") || CanonicalName.hasPrefix(name, "x-remote-")
                || CanonicalName.equals(name, "x-rewrite-url")
        case 0x6F: return CanonicalName.hasPrefix(name, "x-original-")
        case 0x63: return CanonicalName.hasPrefix(name, "x-client-cert")
        case 0x77: return CanonicalName.hasPrefix(name, "x-webauth-")
        case 0x67: return CanonicalName.hasPrefix(name, "x-gatehouse-")
        case 0x65: return CanonicalName.hasPrefix(name, "x-envoy-")
        case 0x68:
            return CanonicalName.equals(name, "x-http-method-override") || CanonicalName.equals(name, "x-http-method")
        case 0x6D: return CanonicalName.equals(name, "x-method-override")
        default: return false
        }
    }

    private static func isAlias(_ name: UnsafeRawBufferPointer, of whole: StaticString) -> Bool {
        CanonicalName.equals(name, whole) && !ASCIIText.equalsIgnoringCase(name, whole)
    }
}
