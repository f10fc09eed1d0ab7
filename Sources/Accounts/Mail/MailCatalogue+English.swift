extension MailCatalogue {
    static let english = MailCatalogue(
        texts: [
            .verifyEmail: MailText(
                "Confirm your e-mail address for {site}",
                .text("Somebody registered at {site} with this e-mail address. If it was you, confirm the address:"),
                .link("Confirm the address"), .text("If it was not you, ignore this mail.")),
            .magicLink: MailText(
                "Your link to sign in to {site}",
                .text("With this link you sign in to {site}. It works once, within {minutes} minutes:"),
                .link("Sign in"),
                .text("If you did not ask for it, ignore this mail. Do not pass the link on to anybody.")),
            .passwordReset: MailText(
                "Set a new password for {site}",
                .text("With this link you set a new password for {site}. It works once, within {minutes} minutes:"),
                .link("Set a new password"),
                .text("If you did not ask for it, ignore this mail: your password stays as it is.")),
            .invitation: MailText(
                "Your account at {site}",
                .text("An account was made for you at {site}. With this link, within {days} days, you set it up:"),
                .link("Set up the account")),
            .confirmNewEmail: MailText(
                "Confirm your new e-mail address for {site}",
                .text("This is to become the e-mail address of an account at {site}. If it is yours, confirm it:"),
                .link("Confirm the address"), .text("If it is not, ignore this mail.")),
            .emailChangeRequested: MailText(
                "Another e-mail address was asked for at {site}",
                .text("Somebody who is signed in to your account at {site} wants its e-mail address to be {email}."),
                .occasion, .text("It changes when the link that was mailed to that address is followed."),
                .text("If it was not you, set a new password at {url}: that ends the request and other sessions.")),
            .emailChanged: MailText(
                "Your e-mail address at {site} was changed",
                .text("The e-mail address of your account at {site} is {email} now."), .occasion,
                .text("If it was not you, tell your administrator at once.")),
            .passwordChanged: MailText(
                "Your password at {site} was changed",
                .text("The password of your account at {site} was changed, and other sessions were ended."), .occasion,
                .text("If it was not you, set a new password at {url} and tell your administrator.")),
            .newDevice: MailText(
                "New sign-in to {site}",
                .text("Your account at {site} was used to sign in from a device that was not seen before."), .occasion,
                .text("If it was not you, sign that device out at {url} and change your password.")),
            .apiKeyCreated: MailText(
                "New API key at {site}",
                .text("An API key was made for your account at {site}: “{name}”, beginning with {prefix}."), .occasion,
                .text("If it was not you, revoke the key at {url} and tell your administrator.")),
            .accountLocked: MailText(
                "Your account at {site} is locked",
                .text("After too many failed sign-ins your account at {site} is locked for {minutes} minutes."),
                .occasion, .text("If it was you, you can go on at once:"), .link("Unlock the account"),
                .text("If it was not you, nothing has happened: nobody got in.")),
            .socialAccountLinked: MailText(
                "Another way to sign in to {site}",
                .text("An identity at the provider “{provider}” can sign in to your account at {site} now."), .occasion,
                .text("If it was not you, unlink it at {url} and tell your administrator.")),
            .socialAccountUnlinked: MailText(
                "A way to sign in to {site} was removed",
                .text("An identity at the provider “{provider}” can no longer sign in to your account at {site}."),
                .occasion, .text("If it was not you, change your password at {url} and tell your administrator.")),
            .totpAdded: MailText(
                "Second factor added at {site}",
                .text("An authenticator app was set up as second factor of your account at {site}."), .occasion,
                .text("If it was not you, change your password at {url} and tell your administrator.")),
            .totpRemoved: MailText(
                "Second factor removed at {site}",
                .text("The authenticator app is no longer a second factor of your account at {site}."), .occasion,
                .text("If it was not you, change your password at {url} and tell your administrator.")),
            .passkeyAdded: MailText(
                "Passkey added at {site}", .text("A passkey was added to your account at {site}."), .occasion,
                .text("If it was not you, remove it at {url}, change your password and tell your administrator.")),
            .passkeyRemoved: MailText(
                "Passkey removed at {site}", .text("A passkey of your account at {site} was removed."), .occasion,
                .text("If it was not you, change your password at {url} and tell your administrator.")),
            .factorsReset: MailText(
                "Second factors reset at {site}",
                .text("The administrator took second factors of your account at {site} away and ended all sessions."),
                .occasion, .link("Set up a new second factor"),
                .text("If you did not ask for it, tell your administrator.")),
            .backupCodeUsed: MailText(
                "Backup code used at {site}",
                .text("A backup code of your account at {site} was used; {left} are left."), .occasion,
                .text("If it was not you, change your password at {url} and make new codes.")),
            .backupCodesRenewed: MailText(
                "New backup codes at {site}",
                .text("New backup codes were made for your account at {site}; earlier ones are no longer good."),
                .occasion, .text("If it was not you, change your password at {url} and tell your administrator.")),
            .codesLocked: MailText(
                "Wrong codes for your account at {site}",
                .text(
                    "Somebody who knows your password, or is signed in as you, gave too many wrong codes of a second "
                        + "factor at {site}. No code is taken for {minutes} minutes."), .occasion,
                .text("If it was not you, change your password at {url}: somebody knows it.")),
            .wrongCodes: MailText(
                "Wrong codes for your account at {site}",
                .text(
                    "Somebody who knows your password, or is signed in as you, gave several wrong codes of a second "
                        + "factor at {site} within a day. Nobody got in by them."), .occasion,
                .text("If it was not you, change your password at {url}: somebody knows it.")),
            .fewBackupCodes: MailText(
                "Few backup codes left at {site}",
                .text("You have {left} backup codes left for your account at {site}. Make new ones at {url}.")),
            .alreadyRegistered: MailText(
                "You have an account at {site}",
                .text("Somebody registered at {site} with this e-mail address, which has an account already."),
                .text("If it was you and you cannot sign in any more, go on here:"),
                .link("Get back into your account"), .text("If it was not you, ignore this mail: nothing was changed.")),
            .noAccount: MailText(
                "No account at {site}",
                .text(
                    "Somebody asked {site} for a mail to this e-mail address, which has no account that can be used."),
                .text("If it was you, you may have registered with another address. Otherwise ignore this mail.")),
        ],
        when: "When", address: "Address", device: "Device",
        footer: "{site} sent this mail by itself; answers to it are not read.")
}
