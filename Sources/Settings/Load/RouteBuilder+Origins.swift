import Policy

extension RouteBuilder {
    /// `origins`, each as a browser writes it: they are compared byte by byte.
    func readOrigins(_ view: MapView) -> [String] {
        var origins: [String] = []
        for (text, value) in view.texts("origins") ?? [] {
            guard let origin = Origin(text) else {
                reading.refuse(
                    value, expected: "an origin like https://pages.example.com: no path, no pattern, never null")
                continue
            }
            if origins.contains(origin.description) {
                reading.problem(value.location, value.path, "there are two of this origin")
            }
            origins.append(origin.description)
        }
        return origins
    }
}
