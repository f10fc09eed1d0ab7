/// What a person can mend themselves (`UserProblem`), by its raw value.
extension Catalogue {
    static let englishProblems: [String: String] = [
        "identifier_missing": "Please enter your user name or your e-mail address.",
        "email_malformed": "This is no e-mail address.",
        "email_unchanged": "This is the address of your account already.",
        "name_malformed": "This name is too long, or holds signs that are not seen.",
        "name_missing": "A name is missing.",
        "routes_missing": "Please name the apps that the key is for.",
        "route_unknown": "There is no app of this name.",
        "keys_too_many": "You have as many keys as one may have. Revoke one first.",
        "passkeys_too_many": "You have as many passkeys as one may have. Remove one first.",
        "last_way": "This is the last way to sign in to your account. Set a password or link another one first.",
        "factor_required": "This site wants a second factor. Set up another one first.",
        "authenticator_missing": "There is no authenticator app yet. Set one up first.",
    ]

    static let germanProblems: [String: String] = [
        "identifier_missing": "Bitte geben Sie Ihren Benutzernamen oder Ihre E-Mail-Adresse ein.",
        "email_malformed": "Das ist keine E-Mail-Adresse.",
        "email_unchanged": "Das ist schon die Adresse Ihres Kontos.",
        "name_malformed": "Dieser Name ist zu lang oder enthält Zeichen, die man nicht sieht.",
        "name_missing": "Es fehlt ein Name.",
        "routes_missing": "Bitte nennen Sie die Anwendungen, für die der Schlüssel gilt.",
        "route_unknown": "Eine Anwendung mit diesem Namen gibt es nicht.",
        "keys_too_many": "Sie haben so viele Schlüssel, wie man haben darf. Widerrufen Sie zuerst einen.",
        "passkeys_too_many": "Sie haben so viele Passkeys, wie man haben darf. Entfernen Sie zuerst einen.",
        "last_way":
            "Das ist der letzte Weg, sich bei Ihrem Konto anzumelden. Setzen Sie zuerst ein Passwort oder verknüpfen Sie eine andere Anmeldung.",
        "factor_required": "Diese Seite verlangt einen zweiten Faktor. Richten Sie zuerst einen anderen ein.",
        "authenticator_missing": "Es gibt noch keine Authenticator-App. Richten Sie zuerst eine ein.",
    ]
}
