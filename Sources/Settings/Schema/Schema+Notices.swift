/// The keys that are about who is told of what.
extension Schema {
    static let notices: [Key] = [
        Key("notifications", .section, "{}", "Which mails people get that they have not asked for."),
        Key("notifications.new_device", .boolean, "true", "A sign-in from a device that was not seen before."),
        Key("notifications.password_changed", .boolean, "true", "Another password."),
        Key("notifications.email_changed", .boolean, "true", "Another address, to the old one and the new one."),
        Key("notifications.api_key_created", .boolean, "true", "A new API key."),
        Key("notifications.account_locked", .boolean, "true", "A lock, with the link that ends it."),
        Key("notifications.factors_changed", .boolean, "true", "A second factor more or less, new backup codes."),
        Key("notifications.backup_code_used", .boolean, "true", "A backup code used, and how many are left."),
        Key("notifications.social_account_linked", .boolean, "true", "An identity at a provider that can sign in now."),
        Key("notifications.social_account_unlinked", .boolean, "true", "An identity at a provider that no longer can."),
        Key("webhooks", .section, "[]", "Who is told of events."),
        Key("webhooks[].url", .text("an https URL, or http on loopback"), nil, "Where events are posted."),
        Key("webhooks[].secret", .secret, nil, "Signs them: whsec_ and base 64, or at least 16 characters."),
        Key(
            "webhooks[].events", .texts("an event type like sign_in, a beginning like user_*, or *"), "[\"*\"]",
            "Which events."),
    ]
}
