/// The texts of registering and of signing in by mail.
extension Catalogue {
    static let englishRegistration: [String: String] = [
        "register": "Register",
        "register_title": "Register",
        "register_text": "We send a link to this address by which you set up your account.",
        "register_invited": "Registration is for those who were invited.",
        "register_send": "Send the link",
        "register_sent":
            "A mail is on its way to this address. If it can be registered, the link in it leads on; it works for a day.",
        "mail_sent_title": "Look into your mail",
        "mail_not_there":
            "If nothing has come in a few minutes, look among the unwanted mails and check the address that you gave.",
        "send_again": "Send the mail again",
        "verify_registration_text":
            "This e-mail address is yours, since you read its mail. Set up the account now; if you did not register here, close this page.",
        "register_finish": "Set up the account",
        "registered_text": "Your account is there. You can sign in now.",
        "invitation_title": "Set up your account",
        "magic_title": "Sign in by mail",
        "magic_text": "We send a link to this address that signs you in, in this browser.",
        "magic_send": "Send me a link",
        "magic_sent":
            "If there is an account with this address, a mail is on its way to it. Open its link in this browser.",
        "magic_elsewhere_title": "Another browser",
        "magic_elsewhere_text":
            "This link is good in the browser alone that asked for it: open it there. Or ask for one for this browser. If you asked for none, somebody else did: do not pass it on.",
        "magic_confirm_text": "You sign in as",
        "magic_confirm_present": "This browser is then no longer signed in as",
        "or_by_mail": "Or without a password",
        "password_too_short": "The password is too short.",
        "password_too_long": "The password is too long.",
        "password_not_text": "The password is no text in UTF-8.",
        "password_control_character": "The password has control characters.",
        "password_too_simple": "The password is one that is tried early: use more words or other ones.",
        "password_about_you": "The password is made of your name, your address or ours.",
        "password_breached": "The password is known from a breach of another site: use one that nobody else has.",
    ]

    static let germanRegistration: [String: String] = [
        "register": "Registrieren",
        "register_title": "Registrieren",
        "register_text": "Wir senden an diese Adresse einen Link, mit dem Sie Ihr Konto einrichten.",
        "register_invited": "Registrieren kann sich, wer eingeladen wurde.",
        "register_send": "Link senden",
        "register_sent":
            "An diese Adresse ist eine E-Mail unterwegs. Wenn sie registriert werden kann, führt der Link darin weiter; er gilt einen Tag lang.",
        "mail_sent_title": "Sehen Sie in Ihre E-Mails",
        "mail_not_there":
            "Wenn nach einigen Minuten nichts gekommen ist, sehen Sie bei den unerwünschten E-Mails nach und prüfen Sie die Adresse.",
        "send_again": "E-Mail noch einmal senden",
        "verify_registration_text":
            "Diese E-Mail-Adresse gehört Ihnen, denn Sie lesen ihre Post. Richten Sie nun das Konto ein; wenn Sie sich hier nicht registriert haben, schließen Sie diese Seite.",
        "register_finish": "Konto einrichten",
        "registered_text": "Ihr Konto ist eingerichtet. Sie können sich nun anmelden.",
        "invitation_title": "Ihr Konto einrichten",
        "magic_title": "Anmelden per E-Mail",
        "magic_text": "Wir senden an diese Adresse einen Link, der Sie in diesem Browser anmeldet.",
        "magic_send": "Link zusenden",
        "magic_sent":
            "Wenn es ein Konto mit dieser Adresse gibt, ist eine E-Mail dorthin unterwegs. Öffnen Sie deren Link in diesem Browser.",
        "magic_elsewhere_title": "Ein anderer Browser",
        "magic_elsewhere_text":
            "Dieser Link gilt nur in dem Browser, der ihn angefordert hat: Öffnen Sie ihn dort. Oder fordern Sie einen für diesen Browser an. Wenn Sie keinen angefordert haben, war es jemand anderes: Geben Sie ihn nicht weiter.",
        "magic_confirm_text": "Sie melden sich an als",
        "magic_confirm_present": "Dieser Browser ist dann nicht mehr angemeldet als",
        "or_by_mail": "Oder ohne Passwort",
        "password_too_short": "Das Passwort ist zu kurz.",
        "password_too_long": "Das Passwort ist zu lang.",
        "password_not_text": "Das Passwort ist kein Text in UTF-8.",
        "password_control_character": "Das Passwort enthält Steuerzeichen.",
        "password_too_simple":
            "Das Passwort gehört zu denen, die früh probiert werden: Nehmen Sie mehr oder andere Wörter.",
        "password_about_you": "Das Passwort besteht aus Ihrem Namen, Ihrer Adresse oder dem Namen dieser Seite.",
        "password_breached":
            "Das Passwort ist aus einem Einbruch anderswo bekannt: Nehmen Sie eines, das sonst niemand hat.",
    ]
}
