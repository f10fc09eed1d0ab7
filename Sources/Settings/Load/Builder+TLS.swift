import Core
import Policy

extension Builder {
    /// `listen[].tls`; nil where the listener is plain.
    func readListenerTLS(_ listener: MapView) -> Settings.ListenerTLS? {
        guard let value = listener.value("tls"), value.text != "none" else { return nil }
        let view = listener.map("tls")
        guard view.node != nil else { return nil }
        let items = view.maps("certificates")
        if items.isEmpty, view.value("certificates")?.items?.isEmpty ?? !view.has("certificates") {
            reading.problem(
                view.location(of: "certificates"), Problem.join(view.path, "certificates"),
                "is missing; expected at least one { certificate: FILE, private_key: FILE }")
        }
        var seen: [String: Settings.KeyPair] = [:]
        var pairs: [Settings.KeyPair] = []
        for item in items {
            guard let certificate = item.required("certificate"), let key = item.required("private_key"),
                let found = readPair(certificate, key)
            else { continue }
            pairs.append(found.pair)
            for name in Set(found.names).sorted() where seen.updateValue(found.pair, forKey: name) != nil {
                reading.warning(
                    certificate.value.location, certificate.value.path,
                    "an earlier certificate is also for \(name), and that one is used")
            }
        }
        return Settings.ListenerTLS(
            certificates: pairs, minimum: view.choice("minimum", of: Settings.ListenerTLS.Version.self) ?? .v12,
            clientAuthorities: view.filled("client_ca").flatMap { readAuthorities($0) })
    }

    /// `listen[].redirect_to_https`.
    func readRedirect(_ listener: MapView, _ tls: Settings.ListenerTLS?) -> Bool {
        guard listener.boolean("redirect_to_https") == true else { return false }
        if tls != nil {
            reading.problem(
                listener.location(of: "redirect_to_https"), Problem.join(listener.path, "redirect_to_https"),
                "this listener speaks TLS itself; the redirect belongs on a plain one")
        }
        return true
    }

    /// `upstreams.*.tls`; nil where no address is https.
    func readUpstreamTLS(_ upstream: MapView, _ endpoints: [Settings.Upstream.Endpoint]) -> Settings.UpstreamTLS? {
        let view = upstream.map("tls")
        let speaksTLS = endpoints.contains { if case .https = $0 { true } else { false } }
        // What it would be anyway may be written down anywhere.
        let says = ["server_name", "certificate", "private_key"].contains(where: view.has)
        let trustsOthers = view.has("ca") && view.value("ca")?.text != "system"
        if view.node != nil, upstream.has("tls"), says || trustsOthers, !speaksTLS, !endpoints.isEmpty {
            reading.problem(view.location, view.path, "only goes with a url https://…")
        }
        var result = Settings.UpstreamTLS(authorities: nil, serverName: nil, keyPair: nil)
        if let ca = view.filled("ca"), ca.text != "system" { result.authorities = readAuthorities(ca) }
        if let (text, value) = view.filled("server_name") {
            if let name = HostName.canonical(configured: text), IPAddress(name) == nil, !name.hasPrefix("[") {
                result.serverName = name
            } else {
                reading.refuse(value)
            }
        }
        if view.has("certificate") || view.has("private_key") {
            if let certificate = view.required("certificate"), let key = view.required("private_key") {
                result.keyPair = readPair(certificate, key)?.pair
            }
        } else {
            _ = (view.value("certificate"), view.value("private_key"))
        }
        return speaksTLS ? result : nil
    }

    private typealias Written = (text: String, value: Value)

    private func readAuthorities(_ ca: Written) -> String? {
        let path = reading.resolve(ca.text)
        guard secrets == .read else { return path }
        guard let content = content(of: path, ca.value) else { return nil }
        if let certificates, !certificates.areCertificates(content.bytes) {
            reading.problem(ca.value.location, ca.value.path, "the file \(path) holds no certificate in PEM")
        }
        return path
    }

    /// Reads both files and looks into them, where keys are read at all.
    private func readPair(_ certificate: Written, _ key: Written) -> (pair: Settings.KeyPair, names: [String])? {
        let pair = Settings.KeyPair(
            certificate: reading.resolve(certificate.text), privateKey: reading.resolve(key.text))
        guard secrets == .read else { return (pair, []) }
        let certificateContent = content(of: pair.certificate, certificate.value)
        let keyContent = content(of: pair.privateKey, key.value)
        guard let certificateContent, let keyContent else { return nil }
        guard keyContent.permissions & 0o077 == 0 else {
            let mode = String(keyContent.permissions & 0o777, radix: 8)
            reading.problem(
                key.value.location, key.value.path,
                "the private key \(pair.privateKey) may be read by others (mode 0\(mode)); chmod 0600 mends it")
            return nil
        }
        guard let certificates else { return (pair, []) }
        do throws(CertificateFault) {
            let found = try certificates.inspect(certificate: certificateContent.bytes, privateKey: keyContent.bytes)
            if let notValid = found.notValid {
                reading.warning(
                    certificate.value.location, certificate.value.path,
                    "the certificate \(pair.certificate) \(notValid)")
            }
            return (pair, found.names)
        } catch {
            let (written, path) = error.isAboutKey ? (key, pair.privateKey) : (certificate, pair.certificate)
            reading.problem(written.value.location, written.value.path, "the file \(path) \(error.message)")
            return nil
        }
    }

    private func content(of path: String, _ value: Value) -> FileContent? {
        do throws(FileReadingError) {
            return try reading.files.read(path, maximumBytes: Settings.maximumFileBytes)
        } catch {
            reading.problem(value.location, value.path, "the file \(path) \(error.message)")
            return nil
        }
    }
}
