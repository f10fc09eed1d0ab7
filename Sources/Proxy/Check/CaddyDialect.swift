import Core
import Policy

/// Caddy's `forward_auth`: a GET with `X-Forwarded-Method`, `-Host`, `-Uri` and `-For`; every 2xx passes, anything else
/// is the client's answer. `copy_headers` replaces what is there; Caddy 2.10 to 2.11.1 leave the client's own where the
/// answer has none (CVE-2026-30851), so every field is always there.
enum CaddyDialect: CheckDialect {
    static let name = "caddy"
    // `uri /.auth/check/caddy` keeps the query of the client's request.
    static let takesRouteName = false
    static let guidance = CheckGuidance.redirect
    static let emptiedField = EmptiedField.empty
    static let refusalsHaveBodies = true

    static func describe(_ incoming: borrowing FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure> {
        DescriptionReading.forwarded(incoming)
    }

    static func refusal(_ verdict: Verdict, _ reason: Reason, state: CredentialState) -> RefusalAnswer {
        RefusalAnswer(handedOn: verdict, reason, state: state)
    }

    static func refusal(ofDescription reason: Reason) -> RefusalAnswer { RefusalAnswer(ofDescription: reason) }
}
