/// The keys about how the pages look and speak.
extension Schema {
    static let branding: [Key] = [
        Key("branding", .section, "{}", "How the pages look."),
        Key("branding.name", .text("1 to 64 characters"), "Gatehouse", "What pages and mails call this site."),
        Key(
            "branding.logo", .text("none or a file: SVG, PNG, JPEG, WebP or GIF, at most 32 KiB"), "none",
            "Stands above every page."),
        Key("branding.colour", .text("none or a colour like #0b57d0"), "none", "Of buttons and links."),
        Key("branding.templates", .text("none or a folder"), "none", "NAME.mustache files in place of our own."),
        Key(
            "branding.languages", .choices(["en", "de"]), "[en, de]",
            "Those that are spoken; the first for whoever likes none of them."),
    ]
}
