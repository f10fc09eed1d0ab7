extension Catalogue {
    static let providersEnglish: [String: String] = [
        "providers": "Linked sign-ins",
        "providers_title": "Linked sign-ins",
        "providers_text": "You can also sign in with these.",
        "provider_sign_in": "Sign in with",
        "provider_sign_out": "Also sign out of",
        "provider_link_title": "Link another",
        "provider_link": "Link",
        "provider_unlink": "Remove",
        "provider_since": "Linked",
        "provider_linked": "It is linked.",
        "provider_unlinked": "It is not linked any more.",
        "provider_failure_title": "The sign-in did not work",
        "provider_again": "Back",
        "provider_expired":
            "This sign-in is too old, was used already, or began in another browser. Please begin again.",
        "provider_denied":
            "You have not agreed there, or you may not sign in by it. You can try again or sign in in another way.",
        "provider_not_accepted": "You are signed in there, but that account may not be used for this site.",
        "provider_unavailable":
            "The other site cannot be reached at the moment. Please try again later or sign in in another way.",
        "provider_failed":
            "The other site's answer could not be accepted. Please try again; if it stays so, tell whoever runs this site.",
        "provider_too_old": "The other site did not ask you once more who you are. Please sign in in another way.",
        "provider_unverified":
            "The other site does not say that your e-mail address is verified. Please verify it there and try again.",
        "provider_no_account": "There is no account for you here. Please ask whoever runs this site.",
        "provider_prove_first":
            "There is an account with your e-mail address already. Please sign in to it as you did before, then link this sign-in on the page of your account.",
        "provider_linked_elsewhere": "That sign-in is linked with another account already.",
        "provider_confirm_title": "Sign a program in?",
        "provider_confirm_text": "A program that you have started wants to sign in with your account:",
        "provider_confirm_warning":
            "If you did not start such a program yourself, close this page: whoever sent you here would get into your account.",
        "provider_confirm_button": "Continue as",
        "provider_code_title": "Signed in",
        "provider_code_text": "Give this code to the program that has sent you here. It is good for one minute.",
        "provider_code_warning":
            "If you did not start such a program yourself, close this page and tell nobody the code.",
    ]

    static let providersGerman: [String: String] = [
        "providers": "Verknüpfte Anmeldungen",
        "providers_title": "Verknüpfte Anmeldungen",
        "providers_text": "Auch damit können Sie sich anmelden.",
        "provider_sign_in": "Anmelden mit",
        "provider_sign_out": "Auch abmelden bei",
        "provider_link_title": "Weitere verknüpfen",
        "provider_link": "Verknüpfen mit",
        "provider_unlink": "Entfernen",
        "provider_since": "Verknüpft",
        "provider_linked": "Die Anmeldung ist verknüpft.",
        "provider_unlinked": "Die Anmeldung ist nicht mehr verknüpft.",
        "provider_failure_title": "Die Anmeldung hat nicht geklappt",
        "provider_again": "Zurück",
        "provider_expired":
            "Diese Anmeldung ist zu alt, wurde schon benutzt oder begann in einem anderen Browser. Bitte beginnen Sie noch einmal.",
        "provider_denied":
            "Sie haben dort nicht zugestimmt oder dürfen sich damit nicht anmelden. Versuchen Sie es noch einmal oder melden Sie sich anders an.",
        "provider_not_accepted": "Sie sind dort angemeldet, aber dieses Konto darf hier nicht benutzt werden.",
        "provider_unavailable":
            "Die andere Seite ist im Augenblick nicht zu erreichen. Bitte versuchen Sie es später noch einmal oder melden Sie sich anders an.",
        "provider_failed":
            "Die Antwort der anderen Seite war nicht annehmbar. Bitte versuchen Sie es noch einmal; wenn es so bleibt, sagen Sie es denen, die diese Seite betreiben.",
        "provider_too_old":
            "Die andere Seite hat Sie nicht noch einmal gefragt, wer Sie sind. Bitte melden Sie sich anders an.",
        "provider_unverified":
            "Die andere Seite sagt nicht, dass Ihre E-Mail-Adresse bestätigt ist. Bitte bestätigen Sie sie dort und versuchen Sie es noch einmal.",
        "provider_no_account": "Hier gibt es kein Konto für Sie. Bitte fragen Sie, wer diese Seite betreibt.",
        "provider_prove_first":
            "Es gibt schon ein Konto mit Ihrer E-Mail-Adresse. Bitte melden Sie sich dort wie bisher an und verknüpfen Sie diese Anmeldung dann auf der Seite Ihres Kontos.",
        "provider_linked_elsewhere": "Diese Anmeldung ist schon mit einem anderen Konto verknüpft.",
        "provider_confirm_title": "Ein Programm anmelden?",
        "provider_confirm_text": "Ein Programm, das Sie gestartet haben, möchte sich mit Ihrem Konto anmelden:",
        "provider_confirm_warning":
            "Wenn Sie selbst kein solches Programm gestartet haben, schließen Sie diese Seite: Wer Sie hierher geschickt hat, käme sonst in Ihr Konto.",
        "provider_confirm_button": "Weiter als",
        "provider_code_title": "Angemeldet",
        "provider_code_text":
            "Geben Sie diesen Code dem Programm, das Sie hierher geschickt hat. Er gilt eine Minute.",
        "provider_code_warning":
            "Wenn Sie selbst kein solches Programm gestartet haben, schließen Sie diese Seite und sagen Sie niemandem den Code.",
    ]

    /// All texts of a language, put together once.
    static let allEnglish = english.merging(providersEnglish) { own, _ in own }
    static let allGerman = german.merging(providersGerman) { own, _ in own }
}
