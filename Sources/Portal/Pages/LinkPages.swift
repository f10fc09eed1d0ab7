internal import Accounts
internal import Core

extension Endpoint {
    static let links: [Endpoint] = [
        page("GET", "/forgot-password") { try $0.showForgotPassword() },
        page("POST", "/forgot-password") { try await $0.forgotPassword() },
        page("GET", "/reset-password/{token}") { $0.showResetPassword() },
        page("POST", "/reset-password/{token}") { try await $0.resetPassword() },
        page("GET", "/unlock/{token}") { $0.showConfirmation(.unlock) },
        page("POST", "/unlock/{token}") { try await $0.confirm(.unlock) },
    ]
}

/// The pages that links in mails lead to. To look at one uses nothing up, since scanners of mail follow links too: only
/// the button does. The link's own secret, which nobody else can know, is what ties a form to whom it was sent.
extension PortalRequest {
    enum LinkPage: String {
        case verifyEmail = "verify-email"
        case unlock

        var purposes: Set<LinkPurpose> {
            switch self {
            case .verifyEmail: [.verifyEmail, .changeEmail]
            case .unlock: [.unlock]
            }
        }

        var key: String { rawValue.replacing("-", with: "_") }
    }

    private var token: String { parameters["token"] ?? "" }

    private func isGood(_ purposes: Set<LinkPurpose>) -> Bool {
        (try? operations.look(at: token, for: purposes)) != nil
    }

    /// Used, too old, never made: all the same.
    var deadLink: Answer {
        page("message", title: "link_title", status: 400, ["text": text("link_text")])
    }

    private func done(_ key: String) -> Answer {
        page("done", title: "done_title", ["text": text(key)])
    }

    // MARK: One button

    func showConfirmation(_ link: LinkPage) -> Answer {
        guard isGood(link.purposes) else { return deadLink }
        var values: [String: Any] = ["text": text("\(link.key)_text"), "action": local.path]
        if let account = try? operations.accountWanting(token) {
            values["text"] = text("email_change_confirm")
            values["account"] = account
        }
        return page("link", title: "\(link.key)_title", values)
    }

    func confirm(_ link: LinkPage) async throws -> Answer {
        guard isSameOrigin else { throw PortalFailure.crossSite }
        do {
            switch link {
            case .verifyEmail: _ = try await operations.verifyEmail(token, from: client())
            case .unlock: try await operations.unlock(token, from: client())
            }
        } catch {
            guard error.code == .invalidToken else { throw error }
            return deadLink
        }
        return done("\(link.key)_done")
    }

    // MARK: Passwords

    func showForgotPassword() throws -> Answer {
        guard configuration.sendsMail else { throw PortalFailure.notFound }
        return page("forgot", title: "forgot_title")
    }

    /// The same answer for an address that nobody has.
    func forgotPassword() async throws -> Answer {
        guard configuration.sendsMail else { throw PortalFailure.notFound }
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        do {
            try await operations.forgotPassword(form["email"] ?? "", from: client())
        } catch {
            return page("forgot", title: "forgot_title", refusing: error, ["email": form["email"] ?? ""])
        }
        return done("forgot_done")
    }

    func showResetPassword() -> Answer {
        let purpose = try? operations.look(at: token, for: [.resetPassword, .invitation])
        guard let purpose else { return deadLink }
        return page("reset", title: Self.resetTitle(purpose), resetValues)
    }

    private static func resetTitle(_ purpose: LinkPurpose) -> String {
        purpose == .invitation ? "invitation_title" : "reset_title"
    }

    private var resetValues: [String: Any] { ["action": local.path, "shortest_password": shortestPassword] }

    /// How long a new password has to be.
    var shortestPassword: String {
        text("shortest_password").replacing("%d", with: "\(operations.shortestPassword)")
    }

    func resetPassword() async throws -> Answer {
        let form = try form()
        guard isSameOrigin else { throw PortalFailure.crossSite }
        let password = SecretBytes(copying: Array((form["new"] ?? "").utf8))
        do {
            try await operations.resetPassword(token, to: password, from: client())
        } catch {
            if error.code == .invalidToken { return deadLink }
            let purpose = (try? operations.look(at: token, for: [.resetPassword, .invitation])) ?? .resetPassword
            return page("reset", title: Self.resetTitle(purpose), refusing: error, resetValues)
        }
        return done("reset_done")
    }
}
