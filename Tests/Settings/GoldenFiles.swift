import Core
import Settings

/// What the golden cases find beside themselves: a few secrets that exist only here, and files from a folder.
struct GoldenFiles: FileReading {
    /// The folder on disk; names in messages do not have it.
    var folder: String
    var texts: [String: (text: String, permissions: UInt16)] = [:]

    static let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    static let secrets: [String: (text: String, permissions: UInt16)] = [
        "master.key": (key + "\n", 0o600),
        "old.key": (key, 0o400),
        "open.key": (key, 0o640),
        "short.key": ("AAECAwQFBgcICQoLDA0ODw==", 0o600),
        "empty.key": ("\n", 0o600),
        "short.txt": ("short", 0o600),
        "proxy.secret": ("correct-horse-battery\n", 0o600),
        "smtp.password": ("hunter2hunter2\n", 0o600),
        "webhook.secret": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0o600),
        "google.secret": ("a client secret\n", 0o600),
        "AuthKey.p8": ("signing key\n", 0o600),
        "jwks.json": ("{\"keys\":[]}", 0o644),
        "robots.jwks.json": ("{\"keys\":[]}", 0o600),
        "/run/credentials/gatehouse/master": (key, 0o440),
        "wiki.crt": ("certificate wiki wiki.example.com", 0o644),
        "wiki.key": ("key wiki", 0o600),
        "open-wiki.key": ("key wiki", 0o640),
        "other.key": ("key other", 0o600),
        "star.crt": ("certificate star *.example.com wiki.example.com", 0o644),
        "/etc/tls/star.key": ("key star", 0o400),
        "old.crt": ("certificate wiki expired", 0o644),
        "old-wiki.key": ("key wiki", 0o600),
        "ca.crt": ("certificate ca", 0o644),
        "tls/example.crt": ("certificate example example.com", 0o644),
        "tls/example.key": ("key example", 0o600),
        "tls/client.crt": ("certificate client", 0o644),
        "tls/client.key": ("key client", 0o600),
        "tls/clients.crt": ("certificate clients", 0o644),
    ]

    static let environment: [String: String] = [
        "WIKI_HOST": "wiki.example.com\n", "DRAIN": "45s", "MASTER": key, "EMPTY": "",
        "CREDENTIALS_DIRECTORY": "/run/credentials/gatehouse",
    ]

    func read(_ path: String, maximumBytes: Int) throws(FileReadingError) -> FileContent {
        if let found = texts[path] ?? Self.secrets[path] {
            guard found.text.utf8.count <= maximumBytes else { throw FileReadingError(.tooLarge) }
            return FileContent(bytes: Array(found.text.utf8), permissions: found.permissions)
        }
        guard !path.hasPrefix("/") else { throw FileReadingError(.missing) }
        return try DiskFiles().read(folder + "/" + path, maximumBytes: maximumBytes)
    }

    func names(inFolder path: String) throws(FileReadingError) -> [String] {
        guard !path.hasPrefix("/") else { throw FileReadingError(.missing) }
        return try DiskFiles().names(inFolder: folder + "/" + path)
    }
}

/// Takes `certificate PAIR NAME…` for a certificate and `key PAIR` for its key.
struct StubInspector: CertificateInspecting {
    func inspect(certificate: [UInt8], privateKey: [UInt8]) throws(CertificateFault) -> CertificateFindings {
        let words = Self.words(certificate)
        guard areCertificates(certificate) else {
            throw CertificateFault(isAboutKey: false, message: "holds no certificate in PEM")
        }
        guard Self.words(privateKey) == ["key", words[1]] else {
            throw CertificateFault(isAboutKey: true, message: "does not belong to the certificate")
        }
        let names = words.dropFirst(2).filter { $0.contains(".") }
        return CertificateFindings(
            names: names, notValid: words.contains("expired") ? "expired on 2020-01-01T00:00:00.000Z" : nil)
    }

    func areCertificates(_ bytes: [UInt8]) -> Bool { Self.words(bytes).first == "certificate" }

    func isSigningKey(_ pem: SecretBytes) -> Bool {
        pem.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } == "signing key"
    }

    private static func words(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: " ").map(String.init)
    }
}

/// Loads one text as `gatehouse.yaml`, in memory.
func load(
    _ text: String, environment: [String: String] = GoldenFiles.environment, secrets: Settings.SecretUse = .read,
    files: [String: (text: String, permissions: UInt16)] = [:]
) throws(SettingsError) -> Settings.Loaded {
    var texts = files
    texts["gatehouse.yaml"] = (text, 0o644)
    return try Settings.load(
        "gatehouse.yaml", environment: { environment[$0] }, files: GoldenFiles(folder: "/nonexistent", texts: texts),
        secrets: secrets, certificates: StubInspector())
}

/// The lines that loading `text` complains with; empty when it loads.
func problems(
    _ text: String, environment: [String: String] = GoldenFiles.environment,
    files: [String: (text: String, permissions: UInt16)] = [:]
) -> [String] {
    do throws(SettingsError) {
        _ = try load(text, environment: environment, files: files)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

/// The least that loads, with more keys after it.
func minimal(_ more: String = "", rules: String = "[ { allow: signed_in } ]") -> String {
    """
    public_url: https://auth.example.com
    routes:
      - { host: wiki.example.com, rules: \(rules) }
    sessions: { cookie: { domain: example.com } }
    \(more)
    """
}
