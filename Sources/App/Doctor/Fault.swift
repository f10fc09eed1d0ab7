/// What can be wrong with the proxy in front, as the doctor tells it apart.
enum Fault: String, CaseIterable, Encodable, Sendable {
    /// A request came to the app that Gatehouse would not have let through.
    case unguarded
    /// The same, because the client described another request to Gatehouse than the one it made.
    case describedByClient = "described_by_client"
    /// The same, because the path means different things to those who read it.
    case pathAmbiguous = "path_ambiguous"
    /// A client's identity header came to the app.
    case identityForged = "identity_forged"
    /// The same in another spelling, which many apps take for the same header.
    case identityAliased = "identity_aliased"
    /// The identity did not come to the app, or not as Gatehouse gave it.
    case identityMissing = "identity_missing"
    /// A client took the identity away by naming its header in `Connection`.
    case identityDropped = "identity_dropped"
    /// A request to switch to HTTP/2 came to the app: what follows on that connection nobody would judge.
    case upgradeForwarded = "upgrade_forwarded"
    /// A credential of Gatehouse came to the app.
    case credentialLeaked = "credential_leaked"
    /// The app was told of another client, host or scheme than there was.
    case forwardingForged = "forwarding_forged"
    /// The same in another spelling.
    case forwardingAliased = "forwarding_aliased"
    /// Headers that some apps believe, though this configuration does not use them, came from the client.
    case otherHeaders = "other_headers"
    /// An answer sends the browser to a host of somebody else's choice.
    case openRedirect = "open_redirect"
    /// A path became a header line of the answer.
    case headerInjected = "header_injected"
    /// Clients can ask the check endpoint themselves.
    case checkExposed = "check_exposed"

    /// Whether it does harm depends on the app: it is told, and does not make the whole fail.
    var isNote: Bool { self == .otherHeaders }

    /// For people.
    var title: String {
        switch self {
        case .unguarded: "a request reaches the app without Gatehouse having allowed it"
        case .describedByClient: "the client decides which request Gatehouse judges"
        case .pathAmbiguous: "a path that means two things reaches the app"
        case .identityForged: "an identity header of the client's reaches the app"
        case .identityAliased: "an identity header of the client's reaches the app in another spelling"
        case .identityMissing: "the identity does not reach the app as Gatehouse gave it"
        case .identityDropped: "a client can take the identity out with its Connection header"
        case .upgradeForwarded: "a client can ask the app for HTTP/2, past every check"
        case .credentialLeaked: "a credential of Gatehouse reaches the app"
        case .forwardingForged: "a forwarding header of the client's reaches the app"
        case .forwardingAliased: "a forwarding header of the client's reaches the app in another spelling"
        case .otherHeaders: "headers that some apps believe come from the client"
        case .openRedirect: "a link to this host leads to somebody else's"
        case .headerInjected: "a path becomes a header of the answer"
        case .checkExposed: "clients can ask the check endpoint"
        }
    }
}
