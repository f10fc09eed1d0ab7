import Core
import HTTPWire
import Policy

/// The original request, as a proxy described it; the bytes are those of the describing head.
struct CheckDescription {
    let method: UnsafeRawBufferPointer
    let host: UnsafeRawBufferPointer
    let path: UnsafeRawBufferPointer
    let traits: PathTraits
    /// Without `?`; nil when there is none.
    var query: UnsafeRawBufferPointer?
}

/// How one proxy describes the original request, and what it understands as an answer.
protocol CheckDialect {
    /// Its name in the path of the endpoint and in the log.
    static var name: String { get }

    /// The query of the endpoint is the operator's, and may name the route: `?route=NAME`. False where a proxy puts the
    /// client's own query there.
    static var takesRouteName: Bool { get }

    /// How a person who opened a page is sent on.
    static var guidance: CheckGuidance { get }

    /// What is said of a credential's field of which nothing is left for the app.
    static var emptiedField: EmptiedField { get }

    /// False: an answer is a head and no more, whatever the method.
    static var refusalsHaveBodies: Bool { get }

    /// Reads the description. A reason, when there is none that can be judged: never a request that passes.
    static func describe(_ incoming: borrowing FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure>

    /// What a refusing verdict is in this dialect.
    static func refusal(_ verdict: Verdict, _ reason: Reason, state: CredentialState) -> RefusalAnswer

    /// What a description that cannot be judged gets. What is wrong with the question is never mended by signing in.
    static func refusal(ofDescription reason: Reason) -> RefusalAnswer
}

/// How a person is sent to the sign-in or to the page of a refusal.
enum CheckGuidance {
    /// By `Location` beside the refusing status: the proxy makes the redirect.
    case locationBeside
    /// By a redirect, which the proxy hands on as it is.
    case redirect
}

/// A field that the client sent, and of which the app must see nothing.
enum EmptiedField {
    /// There with an empty value: the proxy puts that in the client's place.
    case empty
    /// Not there: the proxy takes out what it looks for and does not find.
    case absent
    /// Named in the list of fields that the proxy takes out.
    case removed
}

/// Why a description cannot be judged.
struct CheckFailure: Error, Equatable {
    let reason: Reason
    /// The two values that differ, for the log.
    var values: [String] = []
}

/// Which dialect a path below `/.auth/check/` asks for.
enum CheckEndpoint: Equatable {
    case nginx, traefik, caddy, envoy, haproxy

    /// - Parameter rest: what follows `/.auth/check/`. Envoy appends the original path to it.
    init?(_ rest: UnsafeRawBufferPointer) {
        switch rest.count {
        case 5 where ByteSearch.hasPrefix(rest, "nginx"): self = .nginx
        case 5 where ByteSearch.hasPrefix(rest, "caddy"): self = .caddy
        case 7 where ByteSearch.hasPrefix(rest, "traefik"): self = .traefik
        case 7 where ByteSearch.hasPrefix(rest, "haproxy"): self = .haproxy
        default:
            guard ByteSearch.hasPrefix(rest, "envoy"), rest.count == 5 || rest[5] == UInt8(ascii: "/") else {
                return nil
            }
            self = .envoy
        }
    }
}
