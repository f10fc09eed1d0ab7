internal import Mustache

/// What is wrong with templates of the operator's. A template that renders is not enough: one that has lost a form's
/// hidden field, or a place where the library shows nothing for a misspelt name, would fail only in front of people.
public enum TemplateCheck {
    /// One thing that is wrong.
    public struct Problem: Sendable, Equatable {
        /// The template's name.
        public var template: String
        /// From 1.
        public var line: Int
        /// What is wrong, and what would be right.
        public var message: String
    }

    /// What every page that shows it must go on showing.
    private static let essential: Set<String> = [
        "stylesheet", "t.language", "title", "error", "notice", "secret", "codes", "request",
    ]
    /// What every page is given.
    private static let common: Set<String> = [
        "site", "title", "origin", "stylesheet", "logo", "wide", "error", "notice",
    ]

    /// Everything that is wrong with templates that are to stand in the place of ours.
    ///
    /// - Parameter templates: text by name.
    public static func problems(in templates: [String: String]) -> [Problem] {
        var problems: [Problem] = []
        for (name, text) in templates.sorted(by: { $0.key < $1.key }) {
            guard let own = Templates.all[name] else {
                let known = Templates.all.keys.sorted().joined(separator: ", ")
                problems.append(
                    Problem(template: name, line: 1, message: "there is no such template; there are \(known)"))
                continue
            }
            problems += syntax(name, text, in: templates) + markup(name, text)
            problems += names(name, text, own, in: templates)
        }
        // What is not read right is not looked into further.
        guard problems.isEmpty else { return problems }
        let all = Templates.all.merging(templates) { _, theirs in theirs }
        problems = inclusions(templates, in: all)
        guard problems.isEmpty else { return problems }
        for name in Templates.all.keys.sorted() {
            let parts = Self.parts(of: name, in: all)
            guard let culprit = templates[name] != nil ? name : parts.sorted().first(where: { templates[$0] != nil })
            else { continue }
            let before = TemplateText.expanded(name, in: Templates.all)
            let after = TemplateText.expanded(name, in: all)
            problems += losses(before, after, own: Templates.all[name] ?? "").map { message in
                let page = culprit == name ? "" : "the page \(name): "
                return Problem(template: culprit, line: 1, message: page + message)
            }
        }
        return problems
    }

    // MARK: One template

    private static func syntax(_ name: String, _ text: String, in templates: [String: String]) -> [Problem] {
        var problems: [Problem] = []
        for tag in TemplateText.tags(of: text) {
            switch tag.kind {
            case .unescaped:
                problems.append(
                    Problem(template: name, line: tag.line, message: "unescaped values are not allowed: write {{name}}")
                )
            case .other:
                problems.append(
                    Problem(
                        template: name, line: tag.line,
                        message: "\(tag.text): only {{name}}, {{#name}}, {{^name}}, {{/name}}, {{> name}} and {{! … }}")
                )
            case .partial where Templates.all[tag.name] == nil:
                problems.append(
                    Problem(template: name, line: tag.line, message: "there is no template \(tag.name) to include"))
            case .unclosed:
                problems.append(Problem(template: name, line: tag.line, message: "{{ is not closed"))
            case .value, .section, .inverted, .end, .partial, .comment: break
            }
        }
        if problems.isEmpty {
            do {
                _ = try MustacheTemplate(string: text)
            } catch let error as MustacheTemplate.ParserError {
                problems.append(
                    Problem(template: name, line: error.context.lineNumber, message: "is no Mustache: \(error.error)"))
            } catch {
                problems.append(Problem(template: name, line: 1, message: "is no Mustache: \(error)"))
            }
        }
        return problems
    }

    /// What the pages' Content-Security-Policy would block.
    private static func markup(_ name: String, _ text: String) -> [Problem] {
        TemplateText.blocked(in: text).map { found in
            Problem(
                template: name, line: found.line,
                message: "\(found.text) is not allowed: pages have no programs, no styles of their own, nothing from "
                    + "elsewhere, and values only between quotes; colours and the logo are set in branding")
        }
    }

    private static func names(
        _ name: String, _ text: String, _ own: String, in templates: [String: String]
    ) -> [Problem] {
        // A part may be shown on any page.
        let isPart = !own.contains("{{> head}}")
        let given = isPart ? Set(Templates.all.keys) : [name]
        let known = given.reduce(into: common) { $0.formUnion(TemplateText.names(in: $1, of: Templates.all)) }
        return TemplateText.tags(of: text).compactMap { tag in
            guard [.value, .section, .inverted].contains(tag.kind) else { return nil }
            if tag.name.hasPrefix("t.") {
                guard Catalogue.allEnglish[String(tag.name.dropFirst(2))] == nil else { return nil }
                return Problem(template: name, line: tag.line, message: "there is no text \(tag.name)")
            }
            guard !known.contains(tag.name) else { return nil }
            let names = known.filter { !$0.hasPrefix("t.") }.sorted().joined(separator: ", ")
            return Problem(
                template: name, line: tag.line, message: "\(tag.name) is not known here; there are \(names)")
        }
    }

    // MARK: What includes what

    /// A page with all that it includes is no larger.
    private static let longestPage = 1 << 20

    /// Templates that include themselves, by whatever way, would never end; and those that include others so often that
    /// the page is enormous. Both are said before anything is put into its place.
    private static func inclusions(_ templates: [String: String], in all: [String: String]) -> [Problem] {
        let parts = all.mapValues { text in TemplateText.tags(of: text).filter { $0.kind == .partial } }
        func reaches(_ name: String, from start: String) -> Bool {
            var seen: Set<String> = []
            var open = [start]
            while let next = open.popLast() {
                if next == name { return true }
                if seen.insert(next).inserted { open += parts[next, default: []].map(\.name) }
            }
            return false
        }
        var problems: [Problem] = []
        for name in templates.keys.sorted() {
            guard let tag = parts[name]?.first(where: { reaches(name, from: $0.name) }) else { continue }
            let way = tag.name == name ? "" : " by way of \(tag.name)"
            problems.append(Problem(template: name, line: tag.line, message: "includes itself\(way)"))
        }
        guard problems.isEmpty else { return problems }
        var sizes: [String: Int] = [:]
        func size(_ name: String) -> Int {
            if let known = sizes[name] { return known }
            let own = min(all[name]?.utf8.count ?? 0, longestPage + 1)
            let size = parts[name, default: []].reduce(own) { min($0 + size($1.name), longestPage + 1) }
            sizes[name] = size
            return size
        }
        for name in templates.keys.sorted() where size(name) > longestPage {
            problems.append(
                Problem(template: name, line: 1, message: "is larger than 1 MiB with what it includes"))
        }
        return problems
    }

    // MARK: A whole page

    /// What a page had and has no more. A form that is a part of its own may be left out: it is another way to the same
    /// end, and a new one must not keep a server with older templates from starting.
    private static func losses(_ before: String, _ after: String, own: String) -> [String] {
        var messages: [String] = []
        let values = Set(TemplateText.tags(of: after).filter { $0.kind == .value }.map(\.name))
        for tag in TemplateText.tags(of: before) where tag.kind == .value && essential.contains(tag.name) {
            let message = "{{\(tag.name)}} is missing"
            if !values.contains(tag.name), !messages.contains(message) { messages.append(message) }
        }
        let forms = TemplateText.forms(in: after)
        for form in TemplateText.forms(in: before) {
            let same = forms.filter { $0.action == form.action && $0.method == "post" }
            guard !same.isEmpty else {
                guard TemplateText.forms(in: own).contains(where: { $0.action == form.action }) else { continue }
                messages.append("the form with action \"\(form.action)\" and method \"post\" is missing")
                continue
            }
            let lost = same.map { form.fields.subtracting($0.fields) }.min { $0.count < $1.count } ?? []
            for field in lost.sorted() {
                messages.append("the form with action \"\(form.action)\" has lost \(field)")
            }
        }
        let actions = Set(TemplateText.forms(in: before).map(\.action))
        for form in forms {
            guard actions.contains(form.action), form.method == "post" else {
                messages.append(
                    "a form with action \"\(form.action)\" and method \"\(form.method)\" is none of this page's")
                continue
            }
            // Whatever proves that the form is ours stands in each form of that action.
            let proofs = TemplateText.forms(in: before).filter { $0.action == form.action }
                .map { $0.fields.filter { $0.contains("{{token}}") || $0.contains("{{flow}}") } }
            for field in proofs.reduce(into: Set<String>(), { $0.formUnion($1) }).subtracting(form.fields).sorted() {
                let message = "a form with action \"\(form.action)\" is without \(field)"
                if !messages.contains(message) { messages.append(message) }
            }
        }
        return messages
    }

    private static func parts(of name: String, in all: [String: String], depth: Int = 0) -> Set<String> {
        guard depth < 8, let text = all[name] else { return [] }
        let direct = TemplateText.tags(of: text).filter { $0.kind == .partial }.map(\.name)
        return direct.reduce(into: Set(direct)) { $0.formUnion(parts(of: $1, in: all, depth: depth + 1)) }
    }
}
