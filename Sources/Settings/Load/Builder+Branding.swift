import Core

/// Reads how the pages look.
extension Builder {
    private static let longestLogo = 32 << 10
    private static let longestTemplate = 32 << 10

    func readBranding() -> Settings.Branding {
        let view = root.map("branding")
        return Settings.Branding(
            name: readSiteName(view), isNamed: view.has("name"), logo: readLogo(view), colour: readColour(view),
            templates: readTemplates(view), languages: readLanguages(view))
    }

    private func readSiteName(_ view: MapView) -> String {
        guard let (text, value) = view.filled("name") else { return "Gatehouse" }
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
        guard isPlain, text.count <= 64, text.utf8.count <= 256, text.contains(where: { !$0.isWhitespace }) else {
            reading.refuse(value, expected: "1 to 64 characters, none of them invisible")
            return "Gatehouse"
        }
        return text
    }

    private func readColour(_ view: MapView) -> String? {
        guard let (text, value) = view.filled("colour"), text != "none" else { return nil }
        let digits = text.dropFirst()
        guard text.hasPrefix("#"), digits.count == 6 || digits.count == 3, digits.utf8.count == digits.count,
            digits.allSatisfy(\.isHexDigit)
        else {
            reading.refuse(value)
            return nil
        }
        return "#" + (digits.count == 3 ? digits.map { "\($0)\($0)" }.joined() : String(digits)).lowercased()
    }

    private func readLanguages(_ view: MapView) -> [String] {
        let languages = view.choices("languages", allowEmptyList: false) ?? []
        return languages.isEmpty ? ["en", "de"] : languages
    }

    // MARK: Files

    private func readLogo(_ view: MapView) -> Settings.Branding.Logo? {
        guard let (text, value) = view.filled("logo"), text != "none", secrets == .read else { return nil }
        let path = reading.resolve(text)
        guard let content = read(path, atMost: Self.longestLogo, for: value) else { return nil }
        guard let type = Self.pictureType(content) else {
            reading.problem(
                value.location, value.path, "the file \(path) is no SVG, PNG, JPEG, WebP or GIF by its first bytes")
            return nil
        }
        return .init(type: type, content: SecretBytes(copying: content))
    }

    static func pictureType(_ bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) { return "image/png" }
        if bytes.starts(with: [0xff, 0xd8, 0xff]) { return "image/jpeg" }
        if bytes.starts(with: Array("GIF8".utf8)) { return "image/gif" }
        if bytes.starts(with: Array("RIFF".utf8)), bytes.dropFirst(8).starts(with: Array("WEBP".utf8)) {
            return "image/webp"
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let start = text.drop { $0.isWhitespace || $0 == "\u{feff}" }
        return start.hasPrefix("<svg") || (start.hasPrefix("<?xml") || start.hasPrefix("<!")) && start.contains("<svg")
            ? "image/svg+xml" : nil
    }

    private func readTemplates(_ view: MapView) -> [Settings.Branding.Template] {
        guard let (text, value) = view.filled("templates"), text != "none", secrets == .read else { return [] }
        let folder = reading.resolve(text)
        let names: [String]
        do throws(FileReadingError) {
            names = try reading.files.names(inFolder: folder)
        } catch {
            reading.problem(value.location, value.path, "the folder \(folder) \(error.message)")
            return []
        }
        let suffix = ".mustache"
        let files = names.filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }.sorted()
        if files.isEmpty {
            reading.problem(value.location, value.path, "the folder \(folder) holds no NAME\(suffix)")
        }
        var templates: [Settings.Branding.Template] = []
        for file in files {
            guard let content = read(folder + "/" + file, atMost: Self.longestTemplate, for: value) else { continue }
            guard let text = String(validating: content, as: UTF8.self) else {
                reading.problem(value.location, value.path, "the file \(folder)/\(file) is no UTF-8")
                continue
            }
            templates.append(.init(name: String(file.dropLast(suffix.count)), text: text))
        }
        let texts = Dictionary(uniqueKeysWithValues: templates.map { ($0.name, $0.text) })
        for fault in self.templates?.faults(in: texts) ?? [] {
            reading.problem(
                value.location, value.path, "\(folder)/\(fault.template)\(suffix):\(fault.line): \(fault.message)")
        }
        return templates
    }

    private func read(_ path: String, atMost longest: Int, for value: Value) -> [UInt8]? {
        do throws(FileReadingError) {
            return try reading.files.read(path, maximumBytes: longest).bytes
        } catch {
            reading.problem(value.location, value.path, "the file \(path) \(error.message)")
            return nil
        }
    }
}
