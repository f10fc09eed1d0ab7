import Core

/// Reads secrets. Their text is never in a message, and is kept only as ``SecretBytes``.
struct Secrets {
    let reading: Reading

    /// Longer ones are no secrets but mistakes.
    static let maximumBytes = 64 << 10

    /// The secret that `value` says or names; nil after a problem was reported. An empty one is a problem.
    func read(_ value: Value) -> SecretBytes? {
        guard let bytes = bytes(value) else { return nil }
        guard !bytes.isEmpty else {
            reading.problem(value.location, value.path, "the secret is empty")
            return nil
        }
        return SecretBytes(copying: bytes)
    }

    private func bytes(_ value: Value) -> [UInt8]? {
        if value.isUnusable { return nil }
        if let text = value.text {
            reading.warning(
                value.location, value.path,
                "the secret stands in the configuration itself; better: \(value.kind.expectation)")
            return Array(text.utf8)
        }
        guard case .map(let entries) = value.node.content, entries.count == 1, let entry = entries.first else {
            reading.problem(
                value.location, value.path, "found \(value.node.found), expected \(value.kind.expectation)")
            return nil
        }
        guard case .text(let name, _) = entry.value.content, !name.isEmpty else {
            reading.problem(
                entry.value.location, value.path,
                "{ \(entry.key): … } needs a text, found \(entry.value.found)")
            return nil
        }
        switch entry.key {
        case "env":
            return Indirection.environment(entry.value, reading: reading, path: value.path).map { Array($0.utf8) }
        case "file": return file(reading.resolve(name), at: entry.value.location, value, isPrivate: true)
        case "credential": return credential(name, at: entry.value.location, value)
        default:
            let suggestion = Nearest.suggestion(for: entry.key, among: ["env", "file", "credential"])
            reading.problem(
                entry.location, Problem.join(value.path, entry.key),
                "unknown key, expected \(value.kind.expectation)\(suggestion)")
            return nil
        }
    }

    private func credential(_ name: String, at location: Document.Location, _ value: Value) -> [UInt8]? {
        guard !name.contains("/"), name != ".", name != ".." else {
            reading.problem(
                location, value.path, "a credential is a name without /, found \(Document.Node.quote(name))")
            return nil
        }
        guard let folder = reading.environment("CREDENTIALS_DIRECTORY"), !folder.isEmpty else {
            reading.problem(
                location, value.path,
                "there are no credentials: $CREDENTIALS_DIRECTORY is not set (systemd sets it for LoadCredential=)")
            return nil
        }
        // systemd keeps the folder itself private, and its mode may show an access list's mask.
        return file(folder + "/" + name, at: location, value, isPrivate: false)
    }

    /// The bytes of a file, without one newline at its end.
    func file(_ path: String, at location: Document.Location, _ value: Value, isPrivate: Bool) -> [UInt8]? {
        do throws(FileReadingError) {
            let content = try reading.files.read(path, maximumBytes: Self.maximumBytes)
            guard !isPrivate || content.permissions & 0o077 == 0 else {
                let mode = String(content.permissions & 0o777, radix: 8)
                reading.problem(
                    location, value.path,
                    "the secret file \(path) may be read by others (mode 0\(mode)); chmod 0600 mends it")
                return nil
            }
            return Indirection.withoutNewline(content.bytes)
        } catch {
            reading.problem(location, value.path, "the secret file \(path) \(error.message)")
            return nil
        }
    }
}
