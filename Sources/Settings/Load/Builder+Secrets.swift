import Core

extension Builder {
    /// `master_key`, decoded.
    func readMasterKey() -> SecretBytes? {
        guard secrets == .read, let value = root.value("master_key") else {
            _ = root.value("master_key")
            return nil
        }
        return key(value)
    }

    /// `previous_master_keys`, decoded.
    func readPreviousMasterKeys() -> [SecretBytes] {
        guard let value = root.value("previous_master_keys") else { return [] }
        reading.consult("previous_master_keys[]")
        guard case .list(let nodes) = value.node.content else {
            reading.refuse(value, expected: "a list of { file: PATH } and the like")
            return []
        }
        guard secrets == .read else { return [] }
        return nodes.enumerated().compactMap { index, node in
            key(Value(node: node, path: "\(value.path)[\(index)]", kind: .secret, isWritten: true))
        }
    }

    /// `proxy_secret`, and whether there is to be one.
    func readProxySecret(_ trusted: Settings.TrustedProxies) -> (secret: SecretBytes?, isRequired: Bool) {
        guard let value = root.value("proxy_secret") else { return (nil, root.has("proxy_secret")) }
        if value.text == "none" { return (nil, false) }
        if trusted.networks.isEmpty, !trusted.unix {
            reading.warning(
                value.location, value.path, "nobody is asked for it, since trusted_proxies is empty")
        }
        guard secrets == .read, let secret = Secrets(reading: reading).read(value) else { return (nil, true) }
        let isHeaderText = secret.withUnsafeBytes { bytes in bytes.allSatisfy { (0x21...0x7e).contains($0) } }
        guard isHeaderText, secret.count >= 16 else {
            reading.problem(
                value.location, value.path, "expected at least 16 printable ASCII characters without space")
            return (nil, true)
        }
        return (secret, true)
    }

    /// `trusted_proxies`.
    func readTrustedProxies() -> Settings.TrustedProxies {
        var result = Settings.TrustedProxies(networks: [], unix: false)
        for (text, value) in root.texts("trusted_proxies") ?? [] {
            if text == "unix" {
                result.unix = true
            } else if let network = root.parseNetwork(text, value) {
                result.networks.append(network)
                if network.prefixLength == 0 {
                    reading.warning(
                        value.location, value.path, "\(network) trusts everybody to say who the client is")
                }
            }
        }
        return result
    }

    private func key(_ value: Value) -> SecretBytes? {
        guard let text = Secrets(reading: reading).read(value) else { return nil }
        let decoded = text.withUnsafeBytes { Base64.decode(Array($0).span) }
        guard let decoded, decoded.count == 32 else {
            let found = decoded.map { "\($0.count) bytes" } ?? "something else"
            reading.problem(
                value.location, value.path,
                "expected 32 bytes in base 64, found \(found); `gatehouse keygen` makes one")
            return nil
        }
        return SecretBytes(copying: decoded)
    }
}
