extension MailCatalogue {
    static let german = MailCatalogue(
        texts: [
            .verifyEmail: MailText(
                "Bestätigen Sie Ihre E-Mail-Adresse für {site}",
                .text(
                    "Jemand hat sich mit dieser E-Mail-Adresse bei {site} registriert. Wenn Sie es waren, bestätigen Sie "
                        + "die Adresse:"),
                .link("Adresse bestätigen"), .text("Wenn Sie es nicht waren, ist nichts zu tun.")),
            .magicLink: MailText(
                "Ihr Link zur Anmeldung bei {site}",
                .text("Mit diesem Link melden Sie sich bei {site} an. Er gilt einmal und {minutes} Minuten lang:"),
                .link("Anmelden"),
                .text("Wenn Sie ihn nicht angefordert haben, ist nichts zu tun. Geben Sie ihn niemandem weiter.")),
            .passwordReset: MailText(
                "Neues Passwort für {site}",
                .text(
                    "Mit diesem Link setzen Sie ein neues Passwort für {site}. Er gilt einmal und {minutes} Minuten lang:"
                ),
                .link("Neues Passwort setzen"),
                .text("Wenn Sie ihn nicht angefordert haben, ist nichts zu tun: Ihr Passwort bleibt, wie es ist.")),
            .invitation: MailText(
                "Ihr Konto bei {site}",
                .text(
                    "Für Sie wurde ein Konto bei {site} angelegt. Mit diesem Link richten Sie es binnen {days} Tagen ein:"
                ),
                .link("Konto einrichten")),
            .confirmNewEmail: MailText(
                "Bestätigen Sie Ihre neue E-Mail-Adresse für {site}",
                .text(
                    "Dies soll die E-Mail-Adresse eines Kontos bei {site} werden. Wenn es Ihres ist, bestätigen Sie sie:"
                ),
                .link("Adresse bestätigen"), .text("Wenn nicht, ist nichts zu tun.")),
            .emailChangeRequested: MailText(
                "Andere E-Mail-Adresse bei {site} gewünscht",
                .text(
                    "Jemand, der in Ihrem Konto bei {site} angemeldet ist, möchte dessen E-Mail-Adresse zu {email} ändern."
                ),
                .occasion, .text("Sie ändert sich, sobald der Link benutzt wird, der dorthin gesandt wurde."),
                .text(
                    "Wenn Sie das nicht waren, setzen Sie unter {url} ein neues Passwort: Das beendet den Wunsch und alle anderen Sitzungen."
                )),
            .emailChanged: MailText(
                "Ihre E-Mail-Adresse bei {site} wurde geändert",
                .text("Die E-Mail-Adresse Ihres Kontos bei {site} ist jetzt {email}."), .occasion,
                .text("Wenn Sie das nicht waren, benachrichtigen Sie sofort Ihren Administrator.")),
            .passwordChanged: MailText(
                "Ihr Passwort bei {site} wurde geändert",
                .text("Das Passwort Ihres Kontos bei {site} wurde geändert; andere Sitzungen wurden beendet."),
                .occasion,
                .text(
                    "Wenn Sie das nicht waren, setzen Sie bei {url} ein neues Passwort und benachrichtigen Sie Ihren "
                        + "Administrator.")),
            .newDevice: MailText(
                "Neue Anmeldung bei {site}",
                .text("Mit Ihrem Konto bei {site} hat sich ein bisher unbekanntes Gerät angemeldet."), .occasion,
                .text("Wenn Sie das nicht waren, melden Sie das Gerät bei {url} ab und ändern Sie Ihr Passwort.")),
            .apiKeyCreated: MailText(
                "Neuer API-Schlüssel bei {site}",
                .text("Für Ihr Konto bei {site} wurde ein API-Schlüssel angelegt: „{name}“, beginnend mit {prefix}."),
                .occasion,
                .text(
                    "Wenn Sie das nicht waren, widerrufen Sie ihn bei {url} und benachrichtigen Sie Ihren Administrator."
                )),
            .accountLocked: MailText(
                "Ihr Konto bei {site} ist gesperrt",
                .text("Nach zu vielen Fehlversuchen ist Ihr Konto bei {site} für {minutes} Minuten gesperrt."),
                .occasion,
                .text("Wenn Sie es waren, können Sie sofort weitermachen:"), .link("Konto entsperren"),
                .text("Wenn Sie es nicht waren, ist nichts geschehen: Niemand kam hinein.")),
            .socialAccountLinked: MailText(
                "Ein weiterer Weg zur Anmeldung bei {site}",
                .text("Eine Identität beim Anbieter „{provider}“ kann sich jetzt mit Ihrem Konto bei {site} anmelden."),
                .occasion,
                .text(
                    "Wenn Sie das nicht waren, lösen Sie die Verknüpfung unter {url} und melden Sie es dem Betreiber.")),
            .socialAccountUnlinked: MailText(
                "Ein Weg zur Anmeldung bei {site} wurde entfernt",
                .text(
                    "Eine Identität beim Anbieter „{provider}“ kann sich nicht mehr mit Ihrem Konto bei {site} anmelden."
                ), .occasion,
                .text("Wenn Sie das nicht waren, ändern Sie Ihr Passwort unter {url} und melden Sie es dem Betreiber.")),
            .totpAdded: MailText(
                "Zweiter Faktor bei {site} eingerichtet",
                .text("Eine Authenticator-App wurde als zweiter Faktor Ihres Kontos bei {site} eingerichtet."),
                .occasion,
                .text("Wenn Sie das nicht waren, ändern Sie Ihr Passwort unter {url} und melden Sie es dem Betreiber.")),
            .totpRemoved: MailText(
                "Zweiter Faktor bei {site} entfernt",
                .text("Die Authenticator-App ist kein zweiter Faktor Ihres Kontos bei {site} mehr."), .occasion,
                .text("Wenn Sie das nicht waren, ändern Sie Ihr Passwort unter {url} und melden Sie es dem Betreiber.")),
            .passkeyAdded: MailText(
                "Passkey bei {site} hinzugefügt", .text("Ihrem Konto bei {site} wurde ein Passkey hinzugefügt."),
                .occasion,
                .text("Wenn Sie das nicht waren, entfernen Sie ihn unter {url} und ändern Sie Ihr Passwort.")),
            .passkeyRemoved: MailText(
                "Passkey bei {site} entfernt", .text("Ein Passkey Ihres Kontos bei {site} wurde entfernt."), .occasion,
                .text("Wenn Sie das nicht waren, ändern Sie Ihr Passwort unter {url} und melden Sie es dem Betreiber.")),
            .factorsReset: MailText(
                "Zweite Faktoren bei {site} zurückgesetzt",
                .text(
                    "Der Betreiber hat zweite Faktoren Ihres Kontos bei {site} entfernt und alle Sitzungen beendet."),
                .occasion, .link("Neuen zweiten Faktor einrichten"),
                .text("Wenn Sie nicht darum gebeten haben, melden Sie es dem Betreiber.")),
            .backupCodeUsed: MailText(
                "Backup-Code bei {site} benutzt",
                .text("Ein Backup-Code Ihres Kontos bei {site} wurde benutzt; es bleiben {left}."), .occasion,
                .text("Wenn Sie das nicht waren, ändern Sie Ihr Passwort unter {url} und erzeugen Sie neue Codes.")),
            .backupCodesRenewed: MailText(
                "Neue Backup-Codes bei {site}",
                .text("Für Ihr Konto bei {site} wurden neue Backup-Codes erzeugt; frühere gelten nicht mehr."),
                .occasion,
                .text("Wenn Sie das nicht waren, ändern Sie Ihr Passwort unter {url} und melden Sie es dem Betreiber.")),
            .codesLocked: MailText(
                "Falsche Codes für Ihr Konto bei {site}",
                .text(
                    "Jemand, der Ihr Passwort kennt oder als Sie angemeldet ist, hat bei {site} zu viele falsche Codes "
                        + "eines zweiten Faktors eingegeben. {minutes} Minuten lang wird kein Code angenommen."),
                .occasion, .text("Wenn Sie das nicht waren, ändern Sie Ihr Passwort unter {url}: Jemand kennt es.")),
            .wrongCodes: MailText(
                "Falsche Codes für Ihr Konto bei {site}",
                .text(
                    "Jemand, der Ihr Passwort kennt oder als Sie angemeldet ist, hat bei {site} innerhalb eines Tages "
                        + "mehrere falsche Codes eines zweiten Faktors eingegeben. Niemand ist damit hineingekommen."),
                .occasion, .text("Wenn Sie das nicht waren, ändern Sie Ihr Passwort unter {url}: Jemand kennt es.")),
            .fewBackupCodes: MailText(
                "Wenige Backup-Codes übrig bei {site}",
                .text("Für Ihr Konto bei {site} sind noch {left} Backup-Codes übrig. Neue gibt es bei {url}.")),
            .alreadyRegistered: MailText(
                "Sie haben ein Konto bei {site}",
                .text("Jemand hat sich bei {site} mit dieser E-Mail-Adresse angemeldet, die schon ein Konto hat."),
                .text("Wenn Sie das waren und sich nicht mehr anmelden können, geht es hier weiter:"),
                .link("Zurück in Ihr Konto"),
                .text("Wenn nicht, beachten Sie diese Nachricht nicht: Es wurde nichts geändert.")),
            .noAccount: MailText(
                "Kein Konto bei {site}",
                .text(
                    "Jemand hat bei {site} eine Nachricht an diese E-Mail-Adresse verlangt, zu der kein Konto gehört."),
                .text("Wenn Sie das waren, haben Sie vielleicht eine andere Adresse. Sonst beachten Sie sie nicht.")),
        ],
        when: "Wann", address: "Adresse", device: "Gerät",
        footer: "{site} hat diese Nachricht selbsttätig verschickt; Antworten liest niemand.")
}
