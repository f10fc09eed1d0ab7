internal import Accounts
internal import Core

/// The page of a refusal: who you are, what is missing, and the id by which whoever runs the site finds out more
/// (`gatehouse explain --request`).
///
/// What is missing is told only to the person whose request it was. To anybody else, and to somebody who is not signed
/// in, the page says no more than the status code does: neither that a page is there nor for whom.
extension PortalRequest {
    /// Where a proxy sends a browser whose request it was told to refuse.
    func showDenied() async -> Answer {
        guard let id = query()["request"].flatMap({ Self.isRequestID($0) ? $0 : nil }) else {
            return deniedPage(nil, request: nil)
        }
        guard let subject = signedIn()?.userID, let refusal = await portal.services.refusal(id, subject),
            refusal.subject == subject
        else { return deniedPage(nil, request: id) }
        return deniedPage(Reason(rawValue: refusal.reason), request: id)
    }

    /// - Parameters:
    ///   - reason: nil: it is not known, or not for this reader.
    ///   - request: the id of the request that was refused.
    func deniedPage(_ reason: Reason?, request: String?) -> Answer {
        var values: [String: Any] = [:]
        if let user = local.identity?.user {
            values["user"] = user
            if let reason {
                values["reason"] = language.texts["reason_\(reason.rawValue)"] ?? text("reason_other")
                values["advice"] = language.texts["advice_\(reason.rawValue)"] ?? text("advice_other")
            }
        }
        if let request { values["request"] = request }
        return page(
            "denied", title: "denied_title", status: 403, values, isOnAppHost: local.host != configuration.host)
    }

    private static func isRequestID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
