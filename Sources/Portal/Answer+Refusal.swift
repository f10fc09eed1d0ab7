internal import Core

/// Why an answer is a refusal goes through the router's library as a header of its own. The listener takes it from
/// there: into the header of the same name, the metrics, the log, and the audit log.
extension Answer {
    static let reasonHeader = "Gatehouse-Reason"

    func refused(_ reason: Reason) -> Answer {
        var answer = self
        answer.headers.append((Self.reasonHeader, reason.rawValue))
        return answer
    }

    var local: LocalResponse {
        // An answer that lets somebody on is none, whatever it was made from.
        let reason =
            status < 400 ? nil : headers.first { $0.name == Self.reasonHeader }.flatMap { Reason(rawValue: $0.value) }
        return LocalResponse(
            status: status, headers: headers.filter { $0.name != Self.reasonHeader }, body: body,
            refusal: reason.map { LocalRefusal($0, $0.verdictOnPages, isAudited: $0.hasEventOfItsOwn) })
    }
}

extension Reason {
    fileprivate var verdictOnPages: LocalRefusal.Verdict {
        switch self {
        case .signInRequired: .signIn
        case .factorMissing, .tooOld: .stepUp
        default: .deny
        }
    }

    /// Operations write down what they refuse, and limits what they keep out.
    fileprivate var hasEventOfItsOwn: Bool {
        switch self {
        case .rateLimited, .emailNotVerified, .userDisabled, .userLocked, .storeUnavailable: true
        default: false
        }
    }
}
