/// What one outcome shows to be wrong.
struct Finding: Sendable, Equatable {
    let fault: Fault
    /// The header, or the path, that it is about.
    let subject: String
    /// What was sent, in one line.
    let sent: String
    /// What was seen.
    let seen: String
}

/// Looks at outcomes; does nothing else.
struct Judgement: Sendable {
    let place: Surroundings
    /// Whether Gatehouse would let a request without a credential through, by method and path.
    let isOpen: @Sendable (_ method: String, _ target: String) -> Bool
    /// What the app is told of the key's owner, by folded name.
    let identity: [String: String]

    func findings(in outcome: Outcome) -> [Finding] {
        switch outcome.probe.test {
        case .isGuarded(let fault): unguarded(outcome, fault)
        case .keepsMarksOut: unguarded(outcome, .unguarded) + marks(outcome) + identity(outcome, .identityForged)
        case .keepsIdentity: identity(outcome, .identityDropped)
        case .keepsUpgradeOut: upgrades(outcome)
        case .keepsCredential: credentials(outcome)
        case .staysHere: away(outcome) + unguarded(outcome, .pathAmbiguous)
        case .isNoCheck: checks(outcome)
        }
    }

    // MARK: What reached the app

    private func unguarded(_ outcome: Outcome, _ fault: Fault) -> [Finding] {
        guard !outcome.probe.usesKey else { return [] }
        return outcome.arrivals.filter { !isOpen($0.method, $0.target) }.prefix(1).map { arrival in
            Finding(
                fault: fault, subject: subject(of: outcome.probe), sent: summary(outcome.probe),
                seen: "the app got \(arrival.method) \(printable(arrival.target))")
        }
    }

    private func subject(of probe: Probe) -> String {
        if probe.test == .isGuarded(.describedByClient) { return probe.fields.first?.name ?? probe.target }
        if let field = probe.fields.first, probe.target == place.closedPath { return field.name }
        return probe.method == "GET" ? probe.target : "\(probe.method) \(probe.target)"
    }

    private func marks(_ outcome: Outcome) -> [Finding] {
        let names = Set(place.identityNames.map(HeaderText.fold))
        var findings: [Finding] = []
        for line in outcome.arrivals.flatMap(\.headers) {
            let sent = outcome.probe.fields.first { field in
                guard let mark = field.mark, line.value.contains(mark) else { return false }
                return HeaderText.fold(field.name) == HeaderText.fold(line.name)
            }
            guard let sent, let mark = sent.mark else { continue }
            let folded = HeaderText.fold(line.name)
            let fault: Fault
            if names.contains(folded) {
                fault = isUsual(line.name) ? .identityForged : .identityAliased
            } else if Self.forwarding.contains(folded) {
                guard isUsual(line.name) else {
                    findings.append(finding(.forwardingAliased, sent, line, outcome))
                    continue
                }
                // Behind it stands what the proxy saw: whoever reads from the right is not misled.
                fault = line.value.hasSuffix(mark) ? .forwardingForged : .otherHeaders
            } else {
                fault = .otherHeaders
            }
            findings.append(finding(fault, sent, line, outcome))
        }
        return findings
    }

    private static let forwarding: Set<String> = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]

    /// Spelt with dashes.
    private func isUsual(_ name: String) -> Bool { name.lowercased() == HeaderText.fold(name) }

    private func finding(
        _ fault: Fault, _ sent: Probe.Field, _ line: Arrival.HeaderLine, _ outcome: Outcome
    ) -> Finding {
        Finding(
            fault: fault, subject: sent.name,
            sent: "\(sent.name): \(sent.value)" + (outcome.probe.usesKey ? " (signed in)" : ""),
            seen: "the app got \(line.name): \(printable(line.value))")
    }

    /// With a key, the app must be told of its owner, once and as Gatehouse says.
    private func identity(_ outcome: Outcome, _ fault: Fault) -> [Finding] {
        guard outcome.probe.usesKey else { return [] }
        return outcome.arrivals.flatMap { arrival in
            place.identityNames.compactMap { name -> Finding? in
                let folded = HeaderText.fold(name)
                guard let expected = identity[folded], !expected.isEmpty else { return nil }
                let values = arrival.values(folded: folded)
                // Assertions differ from each other, and what was forged is told elsewhere.
                let isAssertion = folded == "gatehouse-assertion"
                let stands = isAssertion ? values.contains(where: { $0.hasPrefix("ey") }) : values == [expected]
                if stands { return nil }
                if fault == .identityForged, !values.isEmpty { return nil }
                return Finding(
                    fault: values.isEmpty && fault == .identityForged ? .identityMissing : fault, subject: name,
                    sent: summary(outcome.probe),
                    seen: values.isEmpty ? "the app got no \(name)" : "the app got \(name): \(printable(values[0]))")
            }
        }
    }

    /// Any spelling of HTTP/2; a WebSocket is as it should be.
    private func upgrades(_ outcome: Outcome) -> [Finding] {
        outcome.arrivals.flatMap { $0.values(folded: "upgrade") }.filter { $0.lowercased().contains("h2") }
            .prefix(1).map { value in
                Finding(
                    fault: .upgradeForwarded, subject: "Upgrade", sent: summary(outcome.probe),
                    seen: "the app got Upgrade: \(printable(value))")
            }
    }

    private func credentials(_ outcome: Outcome) -> [Finding] {
        let marks = outcome.probe.fields.compactMap(\.mark)
        return outcome.arrivals.flatMap(\.headers).filter { line in marks.contains { line.value.contains($0) } }
            .prefix(1).map { line in
                Finding(
                    fault: .credentialLeaked, subject: line.name, sent: "a credential in \(line.name)",
                    seen: "the app got it in \(line.name)")
            }
    }

    // MARK: What was answered

    private func away(_ outcome: Outcome) -> [Finding] {
        guard let answer = outcome.answer else { return [] }
        var findings: [Finding] = []
        if !answer.values("doctor-injected").isEmpty {
            findings.append(
                Finding(
                    fault: .headerInjected, subject: outcome.probe.target, sent: summary(outcome.probe),
                    seen: "the answer has a header of the path's"))
        }
        for name in ["location", "refresh", "content-location"] {
            for value in answer.values(name) where LeadingAway.leads(value, to: Surroundings.elsewhere) {
                findings.append(
                    Finding(
                        fault: .openRedirect, subject: subject(of: outcome.probe), sent: summary(outcome.probe),
                        seen: "\(answer.status) with \(name.capitalizedFirst): \(printable(value))"))
            }
        }
        return findings
    }

    /// An answer of the check endpoint, whatever its verdict, is one too many.
    private func checks(_ outcome: Outcome) -> [Finding] {
        guard let answer = outcome.answer, outcome.arrivals.isEmpty,
            answer.status == 200, place.identityNames.contains(where: { !answer.values($0.lowercased()).isEmpty })
        else { return [] }
        return [
            Finding(
                fault: .checkExposed, subject: outcome.probe.target, sent: summary(outcome.probe),
                seen: "it answers 200 with identity headers")
        ]
    }

    // MARK: Words

    private func summary(_ probe: Probe) -> String {
        var parts = ["\(probe.method) \(printable(probe.target))"]
        if probe.version != "HTTP/1.1" { parts.append(probe.version) }
        for field in probe.fields where !(probe.usesKey && field.value.contains(place.key ?? "\u{0}")) {
            if field.name.hasPrefix("Sec-Fetch") || field.name == "Accept" { continue }
            parts.append("\(field.name): \(printable(field.value))")
        }
        if probe.usesKey { parts.append("(signed in)") }
        return parts.joined(separator: ", ")
    }

    /// Somebody else's bytes in a terminal.
    private func printable(_ text: String) -> String {
        let key = place.key ?? Surroundings.falseKey
        let shown = text.replacing(key, with: "gate_…").unicodeScalars.prefix(300).map { scalar in
            scalar.value < 0x20 || scalar.value >= 0x7f ? "?" : String(scalar)
        }
        return shown.joined()
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

/// Where a browser would go, by the rules of the URL standard as far as they matter: tabs and line ends are dropped,
/// `\` is `/`, and a scheme needs no slashes.
enum LeadingAway {
    static func leads(_ value: String, to host: String) -> Bool {
        var text = value.lowercased().filter { $0 != "\t" && $0 != "\n" && $0 != "\r" }.replacing("\\", with: "/")
        // Refresh: 0; url=…
        if let place = text.firstRange(of: "url=") { text = String(text[place.upperBound...]) }
        text = String(text.drop { $0 == " " })
        for scheme in ["https:", "http:"] where text.hasPrefix(scheme) {
            text = "//" + text.dropFirst(scheme.count).drop { $0 == "/" }
        }
        guard text.hasPrefix("//") else { return false }
        let authority = text.drop { $0 == "/" }.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let place = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        let name = place.prefix { $0 != ":" }
        return name == host || name.hasSuffix("." + host)
    }
}
