/// What a reading of a configuration gathers on its way: problems, warnings, and which keys were asked for.
final class Reading {
    /// Names in the environment.
    let environment: (String) -> String?
    let files: any FileReading
    /// The folder of the main file, with a `/` at its end, or empty.
    let folder: String
    private(set) var problems: [Problem] = []
    private(set) var warnings: [Problem] = []
    /// The schema paths that somebody has read, for the test that nothing in the table is idle.
    private(set) var consulted: Set<String> = []

    private var seen: Set<Problem> = []

    init(folder: String, environment: @escaping (String) -> String?, files: any FileReading) {
        self.folder = folder
        self.environment = environment
        self.files = files
    }

    func problem(_ location: Document.Location, _ path: String, _ message: String) {
        problem(Problem(location, path, message))
    }

    /// What is shared, like a rule set, is complained about once.
    func problem(_ problem: Problem) {
        if seen.insert(problem).inserted { problems.append(problem) }
    }

    func warning(_ location: Document.Location, _ path: String, _ message: String) {
        let problem = Problem(location, path, message)
        if seen.insert(problem).inserted { warnings.append(problem) }
    }

    func consult(_ path: String) { consulted.insert(path) }

    /// A path of the configuration, from its folder.
    func resolve(_ path: String) -> String {
        path.hasPrefix("/") ? path : folder + path
    }
}
