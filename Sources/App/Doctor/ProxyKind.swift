/// The proxies whose configuration the doctor can read, as far as finding a line goes.
enum ProxyKind: String, CaseIterable, Encodable, Sendable {
    case nginx, traefik, caddy, envoy, haproxy

    /// What a configuration is of, by its words.
    init?(configuration text: String) {
        let signs: [(ProxyKind, [String])] = [
            (.envoy, ["ext_authz", "envoy."]), (.traefik, ["forwardauth", "traefik"]),
            (.haproxy, ["http-request ", "haproxy"]), (.caddy, ["forward_auth", "reverse_proxy"]),
            (.nginx, ["proxy_pass", "auth_request"]),
        ]
        let lower = text.lowercased()
        guard let found = signs.first(where: { $0.1.contains { lower.contains($0) } }) else { return nil }
        self = found.0
    }

    /// By the `Server` header of an answer.
    init?(server: String) {
        let lower = server.lowercased()
        guard let found = [Self.nginx, .caddy, .envoy].first(where: { lower.contains($0.rawValue) }) else { return nil }
        self = found
    }
}

/// One line of a configuration file.
struct ConfigurationLine: Encodable, Sendable, Equatable {
    let file: String
    let line: Int
    let text: String
    /// It says something wrong; false: something is missing there.
    let isWrong: Bool

    private enum CodingKeys: String, CodingKey {
        case file, line, text
        case isWrong = "is_wrong"
    }
}

/// Configuration files of the operator's proxy, by lines.
struct ProxyConfiguration: Sendable {
    private let lines: [(file: String, number: Int, text: String)]

    init(_ files: [(name: String, text: String)]) {
        lines = files.flatMap { file in
            file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
                (file.name, $0.offset + 1, String($0.element))
            }
        }
    }

    /// The line that does it, or the one where something is missing.
    ///
    /// - Parameter path: what got through, where that says something about the line.
    func line(for remedy: Remedy, subject: String, path: String? = nil) -> ConfigurationLine? {
        if let path, let found = selecting(path) { return line(found, isWrong: true) }
        for pattern in remedy.wrong {
            if let found = first(pattern, subject) { return line(found, isWrong: true) }
        }
        for pattern in remedy.missingAt {
            if let found = first(pattern, subject) { return line(found, isWrong: false) }
        }
        return nil
    }

    /// The line that chooses requests by the first folder or by the last suffix of `path`.
    private func selecting(_ path: String) -> Int? {
        let segments = path.lowercased().prefix { $0 != "?" }.split(separator: "/")
        var hints: [String] = []
        if let last = segments.last, let dot = last.lastIndex(of: "."), dot != last.startIndex {
            hints.append(String(last[last.index(after: dot)...]))
        }
        if segments.count > 1, let first = segments.first { hints.append("/" + first) }
        let selectors = ["location", "path", "handle", "rule", "match", "acl "]
        for hint in hints where hint.count > 1 {
            let found = lines.firstIndex { line in
                let text = line.text.lowercased()
                guard let place = text.firstRange(of: hint),
                    !text.drop(while: { $0 == " " || $0 == "\t" }).hasPrefix("#")
                else { return false }
                let next = text[place.upperBound...].first
                return next?.isLetter != true && selectors.contains { text.contains($0) }
            }
            if let found { return found }
        }
        return nil
    }

    /// - Parameter pattern: words that all stand in the line, in small letters; `!` before one: it does not;
    ///   `HEADER`: the name of the header, `VARIABLE`: the same as a variable.
    private func first(_ pattern: String, _ subject: String) -> Int? {
        let folded = HeaderText.fold(subject)
        let words = pattern.split(separator: " ").map {
            $0.replacing("HEADER", with: folded).replacing("VARIABLE", with: folded.replacing("-", with: "_"))
        }
        return lines.firstIndex { line in
            let text = line.text.lowercased()
            let content = text.drop { $0 == " " || $0 == "\t" }
            guard !content.hasPrefix("#"), !content.isEmpty else { return false }
            return words.allSatisfy { word in
                word.hasPrefix("!") ? !text.contains(word.dropFirst()) : text.contains(word)
            }
        }
    }

    private func line(_ index: Int, isWrong: Bool) -> ConfigurationLine {
        let line = lines[index]
        let content = line.text.drop { $0 == " " || $0 == "\t" }
        return ConfigurationLine(
            file: line.file, line: line.number, text: String(content.prefix(400)), isWrong: isWrong)
    }
}

/// What to do about a fault.
struct Remedy: Sendable {
    /// Lines that cause it; see ``ProxyConfiguration``.
    var wrong: [String] = []
    /// Lines by which a missing one would stand.
    var missingAt: [String] = []
    /// What to write. `HEADER`: the name of the header, `VARIABLE`: the same as a variable.
    let write: String

    func text(for subject: String) -> String {
        write.replacing("HEADER", with: Self.usual(subject)).replacing(
            "VARIABLE", with: HeaderText.fold(subject).replacing("-", with: "_"))
    }

    /// `remote_user` as `Remote-User`.
    private static func usual(_ name: String) -> String {
        HeaderText.fold(name).split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }
            .joined(separator: "-")
    }
}
