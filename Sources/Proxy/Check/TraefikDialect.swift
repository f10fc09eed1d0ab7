import Core
import Policy

/// Traefik's ForwardAuth: a GET with `X-Forwarded-Method`, `-Host`, `-Uri` and `-For`; every 2xx passes, anything else
/// is the client's answer. Of the fields in `authResponseHeaders` the client's own are taken out, then those of the
/// answer put in: what is not there is removed, what is empty arrives empty.
enum TraefikDialect: CheckDialect {
    static let name = "traefik"
    static let takesRouteName = true
    static let guidance = CheckGuidance.redirect
    static let emptiedField = EmptiedField.absent
    static let refusalsHaveBodies = true

    static func describe(_ incoming: borrowing FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure> {
        DescriptionReading.forwarded(incoming)
    }

    static func refusal(_ verdict: Verdict, _ reason: Reason, state: CredentialState) -> RefusalAnswer {
        RefusalAnswer(handedOn: verdict, reason, state: state)
    }

    static func refusal(ofDescription reason: Reason) -> RefusalAnswer { RefusalAnswer(ofDescription: reason) }
}
