import Core
import Policy
import Settings

/// A valid configuration as text, a line a value.
func dump(_ loaded: Settings.Loaded) -> String {
    var lines: [String] = []
    dump(loaded.settings, "", &lines)
    for warning in loaded.warnings { lines.append("warning: \(warning)") }
    return lines.joined(separator: "\n") + "\n"
}

private func dump(_ value: Any, _ path: String, _ lines: inout [String]) {
    func leaf(_ text: String) { lines.append("\(path) = \(text)") }
    switch value {
    case let text as String: leaf("\"\(text)\"")
    case let secret as SecretBytes: leaf("\(secret)")
    case let layout as IdentityHeaders.Layout: leaf(layout.headers.map(\.name).joined(separator: ", "))
    case let sources as CredentialSources: leaf("\(sources.rawValue)")
    case let kept as KeptInPath: leaf("\(kept.rawValue)")
    case let services as Set<Settings.Listener.Service>: leaf(services.map(\.rawValue).sorted().joined(separator: ", "))
    case is Duration, is Origin, is Network, is Bool, is any BinaryInteger, is Double, is Settings.ListenAddress,
        is Settings.Upstream.Endpoint:
        leaf("\(value)")
    default:
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .optional?:
            if let child = mirror.children.first { dump(child.value, path, &lines) } else { leaf("nil") }
        case .collection?:
            if mirror.children.isEmpty { leaf("[]") }
            for (index, child) in mirror.children.enumerated() { dump(child.value, "\(path)[\(index)]", &lines) }
        case .enum?:
            guard let child = mirror.children.first else { return leaf("\(value)") }
            dump(child.value, "\(path).\(child.label ?? "")", &lines)
        default:
            // A rule has a place of its own only where others of its set were left out.
            for child in mirror.children where child.label != "place" || "\(child.value)" != "nil" {
                dump(child.value, path.isEmpty ? child.label ?? "" : "\(path).\(child.label ?? "")", &lines)
            }
        }
    }
}
