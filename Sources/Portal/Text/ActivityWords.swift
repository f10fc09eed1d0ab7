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
        "magic_link_requested": "Sign-in link asked for", "link_created": "Link made",
        "outbox_retried": "Mail sent again", "outbox_dropped": "Mail removed unsent",
        "block_added": "Blocked", "block_removed": "Block lifted",
        "factor_set_up": "Second factor begun to be set up", "factor_added": "Second factor or passkey added",
        "factor_removed": "Second factor or passkey removed", "factors_reset": "Second factors taken away",
        "backup_code_used": "Backup code used", "backup_codes_renewed": "New backup codes",
        "social_account_linked": "Account at a provider linked",
        "social_account_unlinked": "Account at a provider unlinked",
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
        "magic_link_requested": "Anmeldelink angefordert", "link_created": "Link erzeugt",
        "outbox_retried": "E-Mail noch einmal gesendet", "outbox_dropped": "E-Mail ungesendet entfernt",
        "factor_set_up": "Einrichtung eines zweiten Faktors begonnen",
        "factor_added": "Zweiter Faktor oder Passkey hinzugefügt",
        "factor_removed": "Zweiter Faktor oder Passkey entfernt", "factors_reset": "Zweite Faktoren entfernt",
        "backup_code_used": "Ersatzcode benutzt", "backup_codes_renewed": "Neue Ersatzcodes",
        "social_account_linked": "Konto bei einem Anbieter verknüpft",
        "social_account_unlinked": "Verknüpfung mit einem Anbieter entfernt",
        "block_added": "Gesperrt", "block_removed": "Sperre entfernt", "request_denied": "Zugriff verweigert",
        "access": "Anwendung benutzt", "other": "Etwas anderes",
    ]
}
