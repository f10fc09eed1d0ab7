/// Looks into templates for whoever checks a configuration, which itself knows no pages.
public protocol TemplateInspecting: Sendable {
    /// What is wrong with templates that are to stand in the place of ours.
    ///
    /// - Parameter templates: text by name.
    func faults(in templates: [String: String]) -> [TemplateFault]
}

/// Why a template cannot be used.
public struct TemplateFault: Error, Sendable, Equatable {
    /// The template's name.
    public var template: String
    /// The line in it, from 1.
    public var line: Int
    /// What is wrong, and what would be right.
    public var message: String

    /// All fields, named as they are.
    public init(template: String, line: Int, message: String) {
        self.template = template
        self.line = line
        self.message = message
    }
}
