/// What an event is called on the page of recent activity, by its `event_type`; `other` for what a newer version wrote.
enum ActivityWords {
    static func of(_ language: Language) -> [String: String] {
        switch language {
        case .english: english
        case .german: german
        }
    }

    private static let english: [String: String] = [
        "user_added": "Account made", "user_renamed": "User name changed", "user_groups_changed": "Groups changed",
        "user_disabled": "Account disabled", "user_enabled": "Account enabled", "user_deleted": "Account deleted",
        "user_registered": "Registered", "user_updated": "Profile changed", "users_imported": "Accounts imported",
        "api_key_created": "API key made", "api_keys_imported": "API keys imported",
        "api_key_revoked": "API key revoked", "api_key_rotated": "API key replaced", "token_issued": "Token issued",
        "session_revoked": "A device was signed out", "sessions_revoked": "Other devices were signed out",
        "sign_in": "Sign-in", "sign_out": "Sign-out", "reauthenticated": "Confirmed once more",
        "refresh_token_reused": "An old refresh token was used", "account_locked": "Account locked",
        "account_unlocked": "Account unlocked", "email_verified": "E-mail address confirmed",
        "email_change_requested": "Another e-mail address asked for", "email_changed": "E-mail address changed",
        "password_changed": "Password change", "password_reset_requested": "New password asked for",
        "provider_tokens_dropped": "Access at another site ended",
        "factor_set_up": "Set-up of an authenticator begun", "factor_added": "Second factor added",
        "factor_removed": "Second factor removed", "factors_reset": "Second factors taken away",
        "passkey_renamed": "Passkey renamed", "backup_code_used": "Backup code used",
        "backup_codes_renewed": "New backup codes",
        "magic_link_requested": "Sign-in link asked for", "link_created": "Link made",
        "outbox_retried": "Mail sent again", "outbox_dropped": "Mail removed unsent",
        "social_account_linked": "Sign-in linked", "social_account_unlinked": "Linked sign-in removed",
        "sign_in_code_issued": "Code for a program given", "sign_in_code_redeemed": "Program signed in",
        "block_added": "Blocked", "block_removed": "Block lifted",
        "request_denied": "Access refused", "access": "App used", "other": "Something else",
    ]

    private static let german: [String: String] = [
        "user_added": "Konto angelegt", "user_renamed": "Benutzername geändert",
        "user_groups_changed": "Gruppen geändert", "user_disabled": "Konto gesperrt",
        "user_enabled": "Konto freigegeben", "user_deleted": "Konto gelöscht", "user_registered": "Registriert",
        "user_updated": "Profil geändert", "users_imported": "Konten übernommen",
        "api_key_created": "API-Schlüssel angelegt", "api_keys_imported": "API-Schlüssel übernommen",
        "api_key_revoked": "API-Schlüssel widerrufen", "api_key_rotated": "API-Schlüssel ersetzt",
        "token_issued": "Token ausgestellt", "session_revoked": "Ein Gerät wurde abgemeldet",
        "sessions_revoked": "Andere Geräte wurden abgemeldet", "sign_in": "Anmeldung", "sign_out": "Abmeldung",
        "reauthenticated": "Noch einmal bestätigt",
        "refresh_token_reused": "Ein altes Erneuerungstoken wurde benutzt",
        "account_locked": "Konto nach Fehlversuchen gesperrt", "account_unlocked": "Sperre aufgehoben",
        "email_verified": "E-Mail-Adresse bestätigt",
        "email_change_requested": "Andere E-Mail-Adresse gewünscht", "email_changed": "E-Mail-Adresse geändert",
        "password_changed": "Passwortänderung", "password_reset_requested": "Neues Passwort angefordert",
        "provider_tokens_dropped": "Zugang bei einer anderen Seite beendet",
        "factor_set_up": "Einrichtung einer Authenticator-App begonnen",
        "factor_added": "Zweiter Faktor hinzugefügt", "factor_removed": "Zweiter Faktor entfernt",
        "factors_reset": "Zweite Faktoren weggenommen", "passkey_renamed": "Passkey umbenannt",
        "backup_code_used": "Ersatzcode benutzt", "backup_codes_renewed": "Neue Ersatzcodes",
        "magic_link_requested": "Anmeldelink angefordert", "link_created": "Link erzeugt",
        "outbox_retried": "E-Mail noch einmal gesendet", "outbox_dropped": "E-Mail ungesendet entfernt",
        "social_account_linked": "Anmeldung verknüpft", "social_account_unlinked": "Verknüpfte Anmeldung entfernt",
        "sign_in_code_issued": "Code für ein Programm ausgegeben", "sign_in_code_redeemed": "Programm angemeldet",
        "block_added": "Gesperrt", "block_removed": "Sperre entfernt", "request_denied": "Zugriff verweigert",
        "access": "Anwendung benutzt", "other": "Etwas anderes",
    ]
}
