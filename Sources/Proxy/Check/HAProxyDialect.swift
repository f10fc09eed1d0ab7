import Core
import Policy

/// HAProxy, which asks from Lua: HEAD with `X-Forwarded-Method`, `-Host`, `-Uri` and `-For`, all set by the operator's
/// rules; every 2xx passes, a redirect's `Location` and the status are for those rules to use. No answer has a body.
enum HAProxyDialect: CheckDialect {
    static let name = "haproxy"
    static let takesRouteName = true
    static let guidance = CheckGuidance.redirect
    static let emptiedField = EmptiedField.empty
    static let refusalsHaveBodies = false

    static func describe(_ incoming: borrowing FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure> {
        DescriptionReading.forwarded(incoming)
    }

    static func refusal(_ verdict: Verdict, _ reason: Reason, state: CredentialState) -> RefusalAnswer {
        RefusalAnswer(handedOn: verdict, reason, state: state)
    }

    static func refusal(ofDescription reason: Reason) -> RefusalAnswer { RefusalAnswer(ofDescription: reason) }
}
