internal import Core

/// How the pages look: name, logo, colours, templates, languages. Made once for a configuration.
public struct Look: Sendable {
    /// What a look is made of.
    public struct Description: Sendable {
        /// `branding.name`.
        public var name: String
        /// `branding.logo`: its media type and its bytes.
        public var logo: (type: String, bytes: [UInt8])?
        /// `branding.colour` as `#rrggbb`; nil: ours.
        public var colour: String?
        /// In place of ours, by name.
        public var templates: [String: String]
        /// `branding.languages`, the one for everybody else first; others than ours are left out.
        public var languages: [String]

        /// Our own look unless said otherwise.
        public init(
            name: String = "Gatehouse", logo: (type: String, bytes: [UInt8])? = nil, colour: String? = nil,
            templates: [String: String] = [:], languages: [String] = []
        ) {
            self.name = name
            self.logo = logo
            self.colour = colour
            self.templates = templates
            self.languages = languages
        }
    }

    /// A file of ours under a name that changes with it, so that it may be kept for ever.
    struct Asset: Sendable {
        let path: String
        let type: String
        let bytes: [UInt8]

        init(kind: String, ending: String, type: String, bytes: [UInt8]) {
            path = "/.auth/\(kind)-\(CRC32.checksum(bytes.span)).\(ending)"
            self.type = type
            self.bytes = bytes
        }

        /// - Parameter isCurrent: it was asked for by its own name, not by one of before a reload.
        func answer(isCurrent: Bool) -> Answer {
            Answer(
                status: 200,
                headers: [
                    ("Content-Type", type),
                    ("Cache-Control", isCurrent ? "public, max-age=31536000, immutable" : "no-store"),
                    ("X-Content-Type-Options", "nosniff"),
                    // A picture may hold a program, which is nothing to run with our origin.
                    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
                ], body: bytes)
        }
    }

    let name: String
    let languages: [Language]
    let renderer: Renderer
    let stylesheet: Asset
    let logo: Asset?

    /// - Throws: when a template is no Mustache; ``TemplateCheck`` says more about what is wrong.
    public init(_ description: Description) throws {
        name = description.name
        let languages = description.languages.compactMap(Language.init(rawValue:))
        self.languages = languages.isEmpty ? Language.allCases : languages
        renderer = try Renderer(description.templates)
        stylesheet = Asset(
            kind: "style", ending: "css", type: "text/css; charset=utf-8",
            bytes: Array(Stylesheet.text(Palette(accent: description.colour)).utf8))
        logo = description.logo.map { logo in
            let ending = logo.type.split(separator: "/").last.map { $0 == "svg+xml" ? "svg" : String($0) } ?? "bin"
            return Asset(kind: "logo", ending: ending, type: logo.type, bytes: logo.bytes)
        }
    }

    /// What is at a path; a page of before a reload still gets a stylesheet and a logo.
    func asset(_ path: String) -> Answer? {
        for asset in [stylesheet, logo].compactMap({ $0 }) {
            if path == asset.path { return asset.answer(isCurrent: true) }
        }
        if path.hasPrefix("/.auth/style-"), path.hasSuffix(".css") { return stylesheet.answer(isCurrent: false) }
        if path.hasPrefix("/.auth/logo-"), !path.dropFirst(12).contains("/") { return logo?.answer(isCurrent: false) }
        return nil
    }
}
