internal import Accounts
internal import Core
internal import FoundationEssentials

/// What programs look for on every site (RFC 8615), on the portal's host.
extension PortalRequest {
    /// Nil for what is none of ours.
    func wellKnown() throws -> Answer? {
        guard local.method == "GET" || local.method == "HEAD" else { return nil }
        let home = configuration.publicURL + "/.auth/account/security"
        switch local.path {
        case "/.well-known/change-password": return .seeOther(home)
        case "/.well-known/passkey-endpoints":
            guard operations.passkeysAreEnabled else { return nil }
            return try document(["enroll": home, "manage": home])
        case "/.well-known/webauthn":
            guard operations.passkeysAreEnabled else { return nil }
            return try document(["origins": operations.passkeyOrigins])
        default: return nil
        }
    }

    private func document(_ value: some Encodable) throws -> Answer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return Answer(
            status: 200,
            headers: [
                ("Content-Type", "application/json"), ("Cache-Control", "public, max-age=300"),
                ("X-Content-Type-Options", "nosniff"),
            ], body: Array(try encoder.encode(value)))
    }
}
