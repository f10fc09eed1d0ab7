/// The well-known fields. Whatever is not among them is `other`.
///
/// `of` finds one by its length and a comparison of eight bytes at a time, letters without case.
public enum FieldID: UInt8, Sendable, CaseIterable {
    case other
    case host
    case connection
    case contentLength
    case transferEncoding
    case expect
    case upgrade
    case te
    case trailer
    case keepAlive
    case proxyConnection
    case http2Settings
    case authorization
    case proxyAuthorization
    case cookie
    case setCookie
    case xAPIKey
    case gatehouseKey
    case gatehouseProxySecret
    case gatehouseAssertion
    case gatehouseReason
    case accept
    case acceptEncoding
    case acceptLanguage
    case userAgent
    case origin
    case referer
    case contentType
    case contentEncoding
    case date
    case server
    case location
    case cacheControl
    case via
    case forwarded
    case secFetchMode
    case secFetchDest
    case secFetchSite
    case secFetchUser
    case xForwardedFor
    case xForwardedProto
    case xForwardedHost
    case xForwardedURI
    case xForwardedMethod
    case xForwardedPort
    case xRealIP
    case xOriginalURL
    case xOriginalMethod
    case xRequestID
    case xRequestedWith
    case traceparent
    case tracestate
    case accessControlRequestMethod
    case accessControlRequestHeaders
    case remoteUser
    case remoteEmail
    case remoteName
    case remoteGroups
    case wwwAuthenticate
    case vary
    case etag
    case lastModified
    case pragma
    case ifNoneMatch
    case ifModifiedSince
    case range
    case upgradeInsecureRequests
    case secCHUA
    case secCHUAMobile
    case secCHUAPlatform
    case doNotTrack
    case priority
    case secWebSocketKey
    case secWebSocketVersion
    case secWebSocketExtensions
    case secWebSocketProtocol
    case secWebSocketAccept

    /// The field of that name; `other` when the name is not well-known or is no token.
    public static func of(_ name: UnsafeRawBufferPointer) -> FieldID {
        guard let base = name.baseAddress else { return .other }
        return of(base, count: name.count)
    }

    @inline(__always)
    static func of(_ base: UnsafeRawPointer, count: Int) -> FieldID {
        count < 12 ? short(base, count: count) : long(base, count: count)
    }

    @inline(__always)
    private static func short(_ base: UnsafeRawPointer, count: Int) -> FieldID {
        switch count {
        case 2:
            if ASCIIText.matches(base, "te") { return .te }
        case 3:
            if ASCIIText.matches(base, "via") { return .via }
            if ASCIIText.matches(base, "dnt") { return .doNotTrack }
        case 4:
            if ASCIIText.matches(base, "host") { return .host }
            if ASCIIText.matches(base, "date") { return .date }
            if ASCIIText.matches(base, "vary") { return .vary }
            if ASCIIText.matches(base, "etag") { return .etag }
        case 5:
            if ASCIIText.matches(base, "range") { return .range }
        case 6:
            if ASCIIText.matches(base, "expect") { return .expect }
            if ASCIIText.matches(base, "cookie") { return .cookie }
            if ASCIIText.matches(base, "accept") { return .accept }
            if ASCIIText.matches(base, "origin") { return .origin }
            if ASCIIText.matches(base, "server") { return .server }
            if ASCIIText.matches(base, "pragma") { return .pragma }
        case 7:
            if ASCIIText.matches(base, "upgrade") { return .upgrade }
            if ASCIIText.matches(base, "trailer") { return .trailer }
            if ASCIIText.matches(base, "referer") { return .referer }
        case 8:
            if ASCIIText.matches(base, "location") { return .location }
            if ASCIIText.matches(base, "priority") { return .priority }
        case 9:
            if ASCIIText.matches(base, "x-api-key") { return .xAPIKey }
            if ASCIIText.matches(base, "forwarded") { return .forwarded }
            if ASCIIText.matches(base, "x-real-ip") { return .xRealIP }
            if ASCIIText.matches(base, "sec-ch-ua") { return .secCHUA }
        case 10:
            if ASCIIText.matches(base, "connection") { return .connection }
            if ASCIIText.matches(base, "keep-alive") { return .keepAlive }
            if ASCIIText.matches(base, "set-cookie") { return .setCookie }
            if ASCIIText.matches(base, "user-agent") { return .userAgent }
            if ASCIIText.matches(base, "tracestate") { return .tracestate }
        case 11:
            if ASCIIText.matches(base, "traceparent") { return .traceparent }
            if ASCIIText.matches(base, "remote-user") { return .remoteUser }
            if ASCIIText.matches(base, "remote-name") { return .remoteName }
        default: break
        }
        return .other
    }

    @inline(__always)
    private static func long(_ base: UnsafeRawPointer, count: Int) -> FieldID {
        switch count {
        case 12:
            if ASCIIText.matches(base, "content-type") { return .contentType }
            if ASCIIText.matches(base, "x-request-id") { return .xRequestID }
            if ASCIIText.matches(base, "remote-email") { return .remoteEmail }
        case 13:
            if ASCIIText.matches(base, "authorization") { return .authorization }
            if ASCIIText.matches(base, "gatehouse-key") { return .gatehouseKey }
            if ASCIIText.matches(base, "cache-control") { return .cacheControl }
            if ASCIIText.matches(base, "remote-groups") { return .remoteGroups }
            if ASCIIText.matches(base, "last-modified") { return .lastModified }
            if ASCIIText.matches(base, "if-none-match") { return .ifNoneMatch }
        case 14:
            if ASCIIText.matches(base, "content-length") { return .contentLength }
            if ASCIIText.matches(base, "http2-settings") { return .http2Settings }
            if ASCIIText.matches(base, "sec-fetch-mode") { return .secFetchMode }
            if ASCIIText.matches(base, "sec-fetch-dest") { return .secFetchDest }
            if ASCIIText.matches(base, "sec-fetch-site") { return .secFetchSite }
            if ASCIIText.matches(base, "sec-fetch-user") { return .secFetchUser }
            if ASCIIText.matches(base, "x-original-url") { return .xOriginalURL }
        case 15:
            if ASCIIText.matches(base, "accept-encoding") { return .acceptEncoding }
            if ASCIIText.matches(base, "accept-language") { return .acceptLanguage }
            if ASCIIText.matches(base, "x-forwarded-for") { return .xForwardedFor }
            if ASCIIText.matches(base, "x-forwarded-uri") { return .xForwardedURI }
        case 16:
            if ASCIIText.matches(base, "proxy-connection") { return .proxyConnection }
            if ASCIIText.matches(base, "gatehouse-reason") { return .gatehouseReason }
            if ASCIIText.matches(base, "content-encoding") { return .contentEncoding }
            if ASCIIText.matches(base, "x-forwarded-host") { return .xForwardedHost }
            if ASCIIText.matches(base, "x-forwarded-port") { return .xForwardedPort }
            if ASCIIText.matches(base, "x-requested-with") { return .xRequestedWith }
            if ASCIIText.matches(base, "www-authenticate") { return .wwwAuthenticate }
            if ASCIIText.matches(base, "sec-ch-ua-mobile") { return .secCHUAMobile }
        case 17:
            if ASCIIText.matches(base, "transfer-encoding") { return .transferEncoding }
            if ASCIIText.matches(base, "x-forwarded-proto") { return .xForwardedProto }
            if ASCIIText.matches(base, "x-original-method") { return .xOriginalMethod }
            if ASCIIText.matches(base, "if-modified-since") { return .ifModifiedSince }
            if ASCIIText.matches(base, "sec-websocket-key") { return .secWebSocketKey }
        case 18:
            if ASCIIText.matches(base, "x-forwarded-method") { return .xForwardedMethod }
            if ASCIIText.matches(base, "sec-ch-ua-platform") { return .secCHUAPlatform }
        case 19:
            if ASCIIText.matches(base, "proxy-authorization") { return .proxyAuthorization }
            if ASCIIText.matches(base, "gatehouse-assertion") { return .gatehouseAssertion }
        case 20:
            if ASCIIText.matches(base, "sec-websocket-accept") { return .secWebSocketAccept }
        case 21:
            if ASCIIText.matches(base, "sec-websocket-version") { return .secWebSocketVersion }
        case 22:
            if ASCIIText.matches(base, "gatehouse-proxy-secret") { return .gatehouseProxySecret }
            if ASCIIText.matches(base, "sec-websocket-protocol") { return .secWebSocketProtocol }
        case 24:
            if ASCIIText.matches(base, "sec-websocket-extensions") { return .secWebSocketExtensions }
        case 25:
            if ASCIIText.matches(base, "upgrade-insecure-requests") { return .upgradeInsecureRequests }
        case 29:
            if ASCIIText.matches(base, "access-control-request-method") { return .accessControlRequestMethod }
        case 30:
            if ASCIIText.matches(base, "access-control-request-headers") { return .accessControlRequestHeaders }
        default: break
        }
        return .other
    }
}
