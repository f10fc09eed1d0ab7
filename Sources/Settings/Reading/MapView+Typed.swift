import Core

extension MapView {
    /// A scalar's text with its place; nil when absent or refused.
    func scalar(_ key: String) -> (text: String, value: Value)? {
        guard let value = value(key) else { return nil }
        guard let text = value.text else {
            reading.refuse(value)
            return nil
        }
        return (text, value)
    }

    /// A scalar that must be there and say something.
    func required(_ key: String) -> (text: String, value: Value)? {
        guard has(key) else {
            _ = value(key)
            let expectation = schema.child(key)?.key?.kind.expectation ?? "a value"
            reading.problem(location, Problem.join(path, key), "is missing; expected \(expectation)")
            return nil
        }
        return filled(key)
    }

    /// A scalar that says something where it is written.
    func filled(_ key: String) -> (text: String, value: Value)? {
        guard let found = scalar(key) else { return nil }
        guard !found.text.isEmpty else {
            reading.refuse(found.value)
            return nil
        }
        return found
    }

    /// The texts of a list, or the one that stands in its place; nil when absent.
    func texts(_ key: String, allowEmptyList: Bool = true) -> [(text: String, value: Value)]? {
        guard let value = value(key) else { return nil }
        guard let items = value.items else {
            reading.refuse(value)
            return nil
        }
        if items.isEmpty, !allowEmptyList {
            reading.refuse(value)
            return nil
        }
        return items.compactMap { item in
            guard let text = item.text, !text.isEmpty else {
                reading.refuse(item)
                return nil
            }
            return (text, item)
        }
    }

    func boolean(_ key: String) -> Bool? {
        guard let (text, value) = scalar(key) else { return nil }
        switch text {
        case "true": return true
        case "false": return false
        default:
            reading.refuse(value)
            return nil
        }
    }

    /// - Parameter minimum: in seconds.
    func duration(_ key: String, minimum: Int64 = 1) -> Duration? {
        guard let (text, value) = scalar(key) else { return nil }
        guard let duration = Measures.duration(text) else {
            let hint = Measures.wholeNumber(text) == nil ? "" : "; write the unit, like \(text)s"
            reading.refuse(value, expected: value.kind.expectation + hint)
            return nil
        }
        guard duration >= .seconds(minimum) else {
            reading.refuse(value, expected: "at least \(Measures.describe(seconds: minimum))")
            return nil
        }
        return duration
    }

    func size(_ key: String, minimum: UInt64 = 1) -> UInt64? {
        guard let (text, value) = scalar(key) else { return nil }
        guard let size = Measures.size(text) else {
            reading.refuse(value)
            return nil
        }
        guard size >= minimum else {
            reading.refuse(value, expected: "at least \(Measures.describe(bytes: minimum))")
            return nil
        }
        return size
    }

    /// One of the words that the table allows, as the enumeration that has them as raw values.
    func choice<Choice: RawRepresentable>(_ key: String, of type: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        guard let (text, value) = scalar(key), case .choice(let words) = value.kind else { return nil }
        guard words.contains(text), let choice = Choice(rawValue: text) else {
            reading.refuse(value, text, among: words)
            return nil
        }
        return choice
    }

    /// Some of the words that the table allows, none of them twice.
    func choices(_ key: String, allowEmptyList: Bool) -> [String]? {
        guard let found = texts(key, allowEmptyList: allowEmptyList) else { return nil }
        var result: [String] = []
        for (text, value) in found {
            let words = value.kind.words
            if !words.contains(text) {
                reading.refuse(value, text, among: words, expected: value.kind.expectation)
            } else if result.contains(text) {
                reading.problem(value.location, value.path, "\"\(text)\" is here twice")
            } else {
                result.append(text)
            }
        }
        return result
    }

    /// The networks of a list.
    func networks(_ key: String) -> [(network: Network, value: Value)]? {
        texts(key, allowEmptyList: false)?.compactMap { text, value in
            guard let network = parseNetwork(text, value) else { return nil }
            return (network, value)
        }
    }

    /// A network, or a complaint that shows what its bits would be.
    func parseNetwork(_ text: String, _ value: Value) -> Network? {
        if let network = Network(text) { return network }
        let parts = text.split(separator: "/", maxSplits: 1)
        let isAddress = parts.count == 2 && IPAddress(String(parts[0])) != nil
        let hint = "a network whose prefix fits and whose bits after it are zero, like 192.0.2.0/24"
        reading.refuse(value, expected: isAddress ? hint : nil)
        return nil
    }
}
