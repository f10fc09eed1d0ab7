internal import Core
internal import Portal
internal import Settings

/// Looks into templates with what will render them.
struct TemplateInspector: TemplateInspecting {
    func faults(in templates: [String: String]) -> [TemplateFault] {
        TemplateCheck.problems(in: templates).map {
            TemplateFault(template: $0.template, line: $0.line, message: $0.message)
        }
    }
}

extension Settings.Branding {
    /// How the pages look.
    ///
    /// - Throws: when a template cannot be read, which was looked at before.
    func look() throws -> Look {
        try Look(
            Look.Description(
                name: name, logo: logo.map { ($0.type, $0.content.withUnsafeBytes(Array.init)) }, colour: colour,
                templates: Dictionary(uniqueKeysWithValues: templates.map { ($0.name, $0.text) }),
                languages: languages))
    }
}
