import Core

extension Builder {
    /// `jwt.issuers`.
    func readIssuers(publicURL: Origin?) -> [Settings.Issuer] {
        var result: [Settings.Issuer] = []
        for view in root.map("jwt").maps("issuers") {
            guard let (id, idValue) = view.required("id") else {
                _ = readIssuer("", view, publicURL)
                continue
            }
            if !Names.isSimple(id) || id.utf8.count > 64 {
                reading.problem(idValue.location, idValue.path, "a name is 1 to 64 of A-Z a-z 0-9 . _ -")
            } else if id.lowercased() == ForeignIdentity.certificates {
                reading.problem(idValue.location, idValue.path, "that is what client certificates are called")
            } else if result.contains(where: { $0.id == id }) {
                reading.problem(idValue.location, idValue.path, "there are two issuers of this id")
            }
            guard let issuer = readIssuer(id, view, publicURL) else { continue }
            if result.contains(where: { $0.issuer == issuer.issuer }) {
                reading.problem(
                    view.location(of: "issuer"), Problem.join(view.path, "issuer"),
                    "there are two entries for this issuer")
            }
            result.append(issuer)
        }
        return result
    }

    private func readIssuer(_ id: String, _ view: MapView, _ publicURL: Origin?) -> Settings.Issuer? {
        let issuer = view.required("issuer")
        if !view.has("audiences") { _ = view.required("audiences") }
        let audiences = view.texts("audiences", allowEmptyList: false)?.map(\.text)
        let keys = readKeys(view, issuer: issuer)
        let claims = view.map("claims")
        if let issuer, let publicURL, issuer.text == publicURL.description {
            reading.problem(
                issuer.value.location, issuer.value.path,
                "is public_url: our own tokens need no entry, and nobody else may issue them")
        }
        guard let issuer else { return nil }
        return Settings.Issuer(
            id: id, issuer: issuer.text, audiences: audiences ?? [], keys: keys.keys, algorithms: keys.algorithms,
            claims: .init(
                user: claims.filled("user")?.text ?? "", email: claims.filled("email")?.text ?? "",
                groups: claims.filled("groups")?.text ?? "", scopes: claims.filled("scopes")?.text ?? ""),
            userPrefix: readPrefix("user_prefix", id, view), groupsPrefix: readPrefix("groups_prefix", id, view),
            emailTrusted: view.boolean("email_trusted") ?? false,
            matching: view.choice("match_users", of: ForeignIdentity.Matching.self) ?? .none)
    }

    private func readPrefix(_ key: String, _ id: String, _ view: MapView) -> String {
        guard let (text, value) = view.scalar(key) else { return id + ":" }
        guard text.utf8.count <= 32, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            reading.refuse(value, expected: "at most 32 printable ASCII characters without space")
            return id + ":"
        }
        if text.lowercased().hasPrefix(ForeignIdentity.certificates + ":") {
            reading.problem(value.location, value.path, "that is the prefix of client certificates")
        }
        return text
    }

    private func readKeys(
        _ view: MapView, issuer: (text: String, value: Value)?
    ) -> (keys: Settings.Issuer.Keys, algorithms: [String]) {
        let url = view.filled("jwks_url")
        let file = view.filled("jwks_file")
        let algorithms = readAlgorithms(view, hasFile: file != nil)
        if url != nil, let file {
            reading.problem(file.value.location, file.value.path, "either jwks_url or jwks_file, not both")
        }
        if let file {
            let isSecret = algorithms.contains { $0.hasPrefix("HS") }
            return (readFile(file.text, file.value, isSecret: isSecret), algorithms)
        }
        if let url {
            if !isFetchable(url.text) {
                reading.refuse(url.value, expected: "an https URL, or http on loopback")
            }
            return (.url(url.text), algorithms)
        }
        if let issuer, !view.has("jwks_url"), !view.has("jwks_file"), !isFetchable(issuer.text) {
            reading.problem(
                issuer.value.location, issuer.value.path,
                "found \(Document.Node.quote(issuer.text)); expected an https URL for discovery, or a jwks_url or jwks_file"
            )
        }
        return (.discovery, algorithms)
    }

    private func readAlgorithms(_ view: MapView, hasFile: Bool) -> [String] {
        let value = view.value("algorithms")
        if let value, let item = value.items?.first(where: { $0.text?.lowercased() == "none" }) {
            reading.problem(item.location, item.path, "a token that is not signed is never a credential")
            return []
        }
        let algorithms = view.choices("algorithms", allowEmptyList: false) ?? []
        if !hasFile, let value, let symmetric = algorithms.first(where: { $0.hasPrefix("HS") }) {
            reading.problem(
                value.location, value.path,
                "\(symmetric) needs a jwks_file: a symmetric key is a secret and cannot come from a public key set")
        }
        return algorithms
    }

    private func readFile(_ name: String, _ value: Value, isSecret: Bool) -> Settings.Issuer.Keys {
        let path = reading.resolve(name)
        guard secrets == .read || !isSecret else { return .file(path: path, content: nil) }
        do throws(FileReadingError) {
            let content = try reading.files.read(path, maximumBytes: 256 << 10)
            if isSecret, content.permissions & 0o077 != 0 {
                let mode = String(content.permissions & 0o777, radix: 8)
                reading.problem(
                    value.location, value.path,
                    "the secret file \(path) may be read by others (mode 0\(mode)); chmod 0600 mends it")
            }
            return .file(path: path, content: SecretBytes(copying: content.bytes))
        } catch {
            reading.problem(value.location, value.path, "the file \(path) \(error.message)")
            return .file(path: path, content: nil)
        }
    }

    /// https, or http to this machine; no user information and no fragment.
    func isFetchable(_ text: String) -> Bool {
        guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7f && $0 != "\\" && $0 != "#" }),
            let colon = text.firstRange(of: "://")
        else { return false }
        let rest = text[colon.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard let origin = Origin(String(text[..<end])) else { return false }
        return origin.scheme == .https || origin.isLoopback
    }
}
