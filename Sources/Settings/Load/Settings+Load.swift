extension Settings {
    /// Whether a command needs what is secret: most do not, and may run as somebody who cannot read it.
    public enum SecretUse: Sendable {
        /// Every secret is read; one that is missing is an error.
        case read
        /// No secret is looked at; what would hold one is nil.
        case leave
    }

    /// A configuration that may be used.
    public struct Loaded: Sendable {
        /// The valid configuration.
        public let settings: Settings
        /// What is likely not what was meant; `check-config --strict` takes these for errors.
        public let warnings: [Problem]
        /// The configuration file and those that it included, in the order read.
        public let files: [String]
        /// What is written, a text a key; see ``Settings/differences(from:to:)``.
        let written: WrittenValues
    }

    /// The longest configuration file.
    static let maximumFileBytes = 4 << 20

    /// Reads, checks and types a configuration with everything that it includes.
    ///
    /// - Parameters:
    ///   - file: the path as it shall stand in messages; relative paths inside the file start at its folder.
    ///   - environment: what a variable is set to, nil when it is not set.
    ///   - files: where files are read from.
    ///   - secrets: whether secrets are read.
    ///   - certificates: looks into certificates; nil: they are only read.
    ///   - templates: looks into templates of pages; nil: they are only read.
    ///   - eventTypes: the events that webhooks can be told of; nil: only their form is looked at.
    ///   - groupExists: whether the system has a group of this name, for `listen[].unix.group`; nil: any will do.
    ///   - publicURL: for a reload: the `public_url` that stays in force whatever the file says; what depends on it is
    ///     made from this one.
    /// - Throws: ``SettingsError`` with all problems at once.
    public static func load(
        _ file: String, environment: @escaping (String) -> String?, files: any FileReading,
        secrets: SecretUse = .read, certificates: (any CertificateInspecting)? = nil,
        templates: (any TemplateInspecting)? = nil, eventTypes: [String]? = nil,
        groupExists: ((String) -> Bool)? = nil, keeping publicURL: Origin? = nil
    ) throws(SettingsError) -> Loaded {
        try run(
            file, environment: environment, files: files, secrets: secrets, certificates: certificates,
            templates: templates, eventTypes: eventTypes, groupExists: groupExists, keeping: publicURL
        ).outcome.get()
    }

    /// `data_dir` alone, of a configuration that may be wrong everywhere else: where a running server is asked.
    ///
    /// - Throws: ``SettingsError`` when the file cannot be read, or is no YAML.
    public static func dataFolder(
        of file: String, environment: @escaping (String) -> String?, files: any FileReading
    ) throws(SettingsError) -> String {
        let reading = Reading(folder: folder(of: file), environment: environment, files: files)
        var sources = Sources(reading: reading)
        guard let root = sources.readMain(file), let data = root.filled("data_dir") else {
            throw failure(sources.isUnreadable ? .unreadable : .invalid, sources, reading)
        }
        return reading.resolve(data.text)
    }

    private static func folder(of file: String) -> String {
        file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
    }

    /// As ``load(_:environment:files:secrets:certificates:)``, with what was gathered on the way.
    static func run(
        _ file: String, environment: @escaping (String) -> String?, files: any FileReading, secrets: SecretUse,
        certificates: (any CertificateInspecting)? = nil, templates: (any TemplateInspecting)? = nil,
        eventTypes: [String]? = nil, groupExists: ((String) -> Bool)? = nil, keeping publicURL: Origin? = nil
    ) -> (outcome: Result<Loaded, SettingsError>, reading: Reading) {
        let reading = Reading(folder: folder(of: file), environment: environment, files: files)
        var sources = Sources(reading: reading)
        guard let root = sources.readMain(file) else {
            return (.failure(failure(sources.isUnreadable ? .unreadable : .invalid, sources, reading)), reading)
        }
        sources.readIncludes(of: root)
        let builder = Builder(
            reading: reading, root: root, included: sources.included, secrets: secrets, certificates: certificates,
            templates: templates, eventTypes: eventTypes, groupExists: groupExists, keptPublicURL: publicURL)
        let settings = builder.build()
        guard let settings, reading.problems.isEmpty else {
            return (.failure(failure(sources.isUnreadable ? .unreadable : .invalid, sources, reading)), reading)
        }
        let warnings = sources.sorted(reading.warnings)
        let written = WrittenValues((sources.included + [root]).compactMap(\.node))
        return (
            .success(Loaded(settings: settings, warnings: warnings, files: sources.names, written: written)), reading
        )
    }

    private static func failure(_ code: SettingsError.Code, _ sources: Sources, _ reading: Reading) -> SettingsError {
        SettingsError(
            code: code, problems: sources.sorted(reading.problems), warnings: sources.sorted(reading.warnings))
    }
}

/// The files of a configuration, as maps that have been held against the schema.
struct Sources {
    let reading: Reading
    /// In the order read.
    private(set) var names: [String] = []
    /// The outermost maps of included files, in the order of their names.
    private(set) var included: [MapView] = []
    /// A file could not be read.
    private(set) var isUnreadable = false

    init(reading: Reading) {
        self.reading = reading
    }

    mutating func readMain(_ file: String) -> MapView? {
        let start = Document.Location(file: file, line: 1, column: 1)
        return read(file, at: start, path: "", schema: Schema.main)
    }

    mutating func readIncludes(of root: MapView) {
        for (pattern, value) in root.texts("include") ?? [] {
            for file in expand(pattern, value) {
                guard !names.contains(file) else {
                    reading.problem(value.location, value.path, "\(file) is included twice")
                    continue
                }
                if let view = read(file, at: value.location, path: value.path, schema: Schema.included) {
                    included.append(view)
                }
            }
        }
    }

    /// By file in the order read, then by place.
    func sorted(_ problems: [Problem]) -> [Problem] {
        func rank(_ file: String) -> Int { names.firstIndex(of: file) ?? .max }
        return problems.sorted { left, right in
            let leftKey = (rank(left.file), left.line, left.column)
            let rightKey = (rank(right.file), right.line, right.column)
            return leftKey == rightKey ? (left.path, left.message) < (right.path, right.message) : leftKey < rightKey
        }
    }

    private mutating func read(
        _ file: String, at place: Document.Location, path: String, schema: SchemaNode
    ) -> MapView? {
        names.append(file)
        let content: FileContent
        do throws(FileReadingError) {
            content = try reading.files.read(file, maximumBytes: Settings.maximumFileBytes)
        } catch {
            isUnreadable = true
            let isFirst = path.isEmpty
            let hint =
                isFirst && error.code == .missing
                ? "; `gatehouse init` writes one, and --config or GATEHOUSE_CONFIG names another" : ""
            reading.problem(place, path, "the file \(isFirst ? "" : file + " ")\(error.message)\(hint)")
            return nil
        }
        var reader = DocumentReader(file: file)
        let document = reader.read(content.bytes)
        for problem in reader.problems { reading.problem(problem) }
        guard let document else { return nil }
        let root = ShapeCheck(reading: reading).check(document.root, against: schema)
        guard case .map = root.content else {
            if case .unusable = root.content { return nil }
            reading.problem(root.location, "", "found \(root.found), expected a map of keys")
            return nil
        }
        let start = Document.Location(file: file, line: 1, column: 1)
        return MapView(reading: reading, node: root, location: start, path: "", schema: schema, schemaPath: "")
    }

    /// The files of a pattern by name; a file that is named outright must be there.
    private func expand(_ pattern: String, _ value: Value) -> [String] {
        let full = reading.resolve(pattern)
        let slash = full.lastIndex(of: "/")
        let folder = slash.map { String(full[...$0]) } ?? ""
        let name = slash.map { String(full[full.index(after: $0)...]) } ?? full
        guard !FilePattern.isPattern(folder), !name.isEmpty else {
            reading.refuse(value, expected: "a file, or a pattern with * in the file's name only")
            return []
        }
        guard FilePattern.isPattern(name) else { return [full] }
        do throws(FileReadingError) {
            return try reading.files.names(inFolder: folder).filter { FilePattern.matches($0, name) }
                .sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }.map { folder + $0 }
        } catch {
            reading.problem(value.location, value.path, "the folder \(folder) \(error.message)")
            return []
        }
    }
}
