/// What the doctor found, for people and as the one document of `--json`.
struct DoctorReport: Encodable, Sendable {
    /// One fault of one header or path.
    struct Entry: Encodable, Sendable {
        let fault: Fault
        /// `leak` or `note`.
        let severity: String
        let title: String
        let subject: String
        /// What was sent and seen, and how often the like was.
        let sent: String
        let seen: String
        let count: Int
        let configuration: ConfigurationLine?
        let write: String
    }

    let target: String
    let proxy: ProxyKind?
    let requests: Int
    let leaks: Int
    let findings: [Entry]
    let not_examined: [String]

    init(
        target: String, proxy: ProxyKind?, configuration: ProxyConfiguration, _ result: Examination.Result
    ) {
        self.target = target
        self.proxy = proxy
        requests = result.requests
        not_examined = result.notExamined
        findings = Self.grouped(result.findings).map { group in
            let first = group[0]
            let remedy = Remedies.remedy(for: first.fault, in: proxy)
            return Entry(
                fault: first.fault, severity: first.fault.isNote ? "note" : "leak", title: first.fault.title,
                subject: first.subject, sent: first.sent, seen: first.seen, count: group.count,
                configuration: configuration.line(
                    for: remedy, subject: first.subject, path: first.fault == .unguarded ? first.subject : nil),
                write: remedy.text(for: first.subject))
        }
        leaks = findings.count { $0.severity == "leak" }
    }

    /// One entry a header; ways past the check, which may be dozens, by what they have in common.
    private static func grouped(_ findings: [Finding]) -> [[Finding]] {
        var groups: [(key: String, findings: [Finding])] = []
        for finding in findings {
            let key: String
            switch finding.fault {
            case .unguarded, .describedByClient, .pathAmbiguous, .openRedirect, .headerInjected, .checkExposed,
                .forwardingAliased, .identityAliased, .identityDropped, .upgradeForwarded:
                key = finding.fault.rawValue
            case .identityForged, .identityMissing, .credentialLeaked, .forwardingForged, .otherHeaders:
                key = finding.fault.rawValue + " " + HeaderText.fold(finding.subject)
            }
            if let place = groups.firstIndex(where: { $0.key == key }) {
                groups[place].findings.append(finding)
            } else {
                groups.append((key, [finding]))
            }
        }
        let order = Fault.allCases
        return groups.map(\.findings).sorted { left, right in
            (order.firstIndex(of: left[0].fault) ?? 0) < (order.firstIndex(of: right[0].fault) ?? 0)
        }
    }

    var text: String {
        var lines: [String] = []
        for entry in findings where entry.severity == "leak" { lines += Self.lines(entry) }
        for entry in findings where entry.severity == "note" && entry.fault != .otherHeaders {
            lines += Self.lines(entry)
        }
        let notes = findings.filter { $0.fault == .otherHeaders }
        if !notes.isEmpty {
            lines.append("note: these come to the app from the client; drop what your app believes:")
            lines.append("    " + notes.map(\.subject).joined(separator: ", "))
            lines.append("")
        }
        for missing in not_examined { lines.append("not examined: \(missing)") }
        let what = leaks == 0 ? "nothing leaks" : leaks == 1 ? "1 leak" : "\(leaks) leaks"
        lines.append("\(target): \(what) (\(requests) requests\(proxy.map { ", \($0.rawValue)" } ?? ""))")
        return lines.joined(separator: "\n")
    }

    private static func lines(_ entry: Entry) -> [String] {
        var lines = ["\(entry.severity == "leak" ? "LEAK" : "note"): \(entry.title) (\(entry.fault.rawValue))"]
        lines.append("    sent:  \(entry.sent)")
        lines.append("    seen:  \(entry.seen)" + (entry.count > 1 ? ", and \(entry.count - 1) more like it" : ""))
        if let place = entry.configuration {
            lines.append(
                "    \(place.isWrong ? "cause" : "where"): \(place.file):\(place.line): \(place.text)"
                    + (place.isWrong ? "" : "   (something is missing here)"))
        }
        let write = entry.write.split(separator: "\n")
        for (number, line) in write.enumerated() { lines.append((number == 0 ? "    write: " : "           ") + line) }
        lines.append("")
        return lines
    }
}
