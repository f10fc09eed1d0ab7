import Core

extension Settings {
    /// The keys that take effect only when the server is started again.
    public static let keysThatNeedARestart = [
        "listen", "monitor_listen", "data_dir", "public_url", "workers", "store", "master_key", "previous_master_keys",
    ]

    /// The keys whose values differ between two configurations, by path and in order: `routes[wiki].rules[2].allow`.
    /// Items that have a name are known by it, so that one more at the top is one difference. Values are not told.
    public static func differences(from old: Loaded, to new: Loaded) -> [String] {
        var paths = WrittenValues.differences(old.written, new.written)
        // Written as before, but what the file held has changed.
        func compare(_ path: String, _ left: SecretBytes?, _ right: SecretBytes?) {
            if !isSame(left, right), !paths.contains(where: { $0.hasPrefix(path) }) { paths.append(path) }
        }
        compare("master_key", old.settings.masterKey, new.settings.masterKey)
        let previous = (old.settings.previousMasterKeys, new.settings.previousMasterKeys)
        if previous.0.count == previous.1.count {
            for (left, right) in zip(previous.0, previous.1) { compare("previous_master_keys", left, right) }
        }
        if case .smtp(let before) = old.settings.mail, case .smtp(let after) = new.settings.mail {
            compare("mail.smtp.password", before.password, after.password)
        }
        for (index, webhook) in new.settings.webhooks.enumerated() {
            guard let before = old.settings.webhooks.first(where: { $0.url == webhook.url }) else { continue }
            compare("webhooks[\(index)].secret", before.secret, webhook.secret)
        }
        compare("branding.logo", old.settings.branding.logo?.content, new.settings.branding.logo?.content)
        if old.settings.branding.templates != new.settings.branding.templates,
            !paths.contains(where: { $0.hasPrefix("branding") && !$0.hasPrefix("branding.logo") })
        {
            paths.append("branding.templates")
        }
        compare("proxy_secret", old.settings.proxySecret, new.settings.proxySecret)
        for provider in new.settings.login.providers {
            guard let known = old.settings.login.providers.first(where: { $0.id == provider.id }) else { continue }
            compare("login.providers[\(provider.id)].client_secret", known.clientSecret, provider.clientSecret)
            compare("login.providers[\(provider.id)].private_key", known.signingKey?.pem, provider.signingKey?.pem)
        }
        for issuer in new.settings.issuers {
            guard case .file(_, let content) = issuer.keys,
                let known = old.settings.issuers.first(where: { $0.id == issuer.id }),
                case .file(_, let before) = known.keys
            else { continue }
            compare("jwt.issuers[\(issuer.id)].jwks_file", before, content)
        }
        return paths.sorted()
    }

    /// Those of ``keysThatNeedARestart`` whose meaning differs from what is in force.
    public func keysToRestart(for new: Settings) -> [String] {
        let previous =
            previousMasterKeys.count == new.previousMasterKeys.count
            && zip(previousMasterKeys, new.previousMasterKeys).allSatisfy { Self.isSame($0, $1) }
        let differs = [
            "listen": listeners != new.listeners, "monitor_listen": monitorListener != new.monitorListener,
            "data_dir": dataFolder != new.dataFolder, "public_url": publicURL != new.publicURL,
            "workers": workers != new.workers, "store": storeMaximumSize != new.storeMaximumSize,
            "master_key": !Self.isSame(masterKey, new.masterKey), "previous_master_keys": !previous,
        ]
        return Self.keysThatNeedARestart.filter { differs[$0] == true }
    }

    /// `new` with what is in force here for the keys that need a restart.
    public func reloaded(with new: Settings) -> Settings {
        var settings = new
        settings.listeners = listeners
        settings.monitorListener = monitorListener
        settings.dataFolder = dataFolder
        settings.publicURL = publicURL
        settings.workers = workers
        settings.storeMaximumSize = storeMaximumSize
        settings.masterKey = masterKey
        settings.previousMasterKeys = previousMasterKeys
        return settings
    }

    private static func isSame(_ left: SecretBytes?, _ right: SecretBytes?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        return left.withUnsafeBytes { one in right.withUnsafeBytes { other in one.elementsEqual(other) } }
    }
}

/// A configuration as written, flattened: one text for every scalar, under the path of its key.
struct WrittenValues: Sendable {
    private struct Entry: Sendable {
        var text: String
        /// The paths of the maps and lists around it, the outermost first.
        var around: [String]
    }

    private var entries: [String: Entry] = [:]
    /// The names in each list whose items are maps: their order matters too.
    private var orders: [String: [String]] = [:]

    /// - Parameter roots: the outermost maps of all files; what stands in a list in several of them is one list.
    init(_ roots: [Document.Node]) {
        var offsets: [String: Int] = [:]
        for root in roots {
            guard case .map(let entries) = root.content else { continue }
            for entry in entries {
                add(entry.value, entry.key, [], offset: offsets[entry.key] ?? 0)
                if case .list(let items) = entry.value.content { offsets[entry.key, default: 0] += items.count }
            }
        }
    }

    private mutating func add(_ node: Document.Node, _ path: String, _ around: [String], offset: Int = 0) {
        switch node.content {
        case .text(let text, _): entries[path] = Entry(text: text, around: around)
        case .unusable: break
        case .map(let below):
            if below.isEmpty { entries[path] = Entry(text: "{}", around: around) }
            for entry in below { add(entry.value, Problem.join(path, entry.key), around + [path]) }
        case .list(let items):
            if items.isEmpty { entries[path] = Entry(text: "[]", around: around) }
            var taken = Set(orders[path] ?? [])
            for (index, item) in items.enumerated() {
                var name = Self.name(of: item) ?? "\(index + offset)"
                if !taken.insert(name).inserted { name = "\(index + offset)" }
                if case .map = item.content { orders[path, default: []].append(name) }
                add(item, "\(path)[\(name)]", around + [path])
            }
        }
    }

    private static func name(of item: Document.Node) -> String? {
        for key in ["name", "id", "host"] {
            switch item.child(key)?.content {
            case .text(let text, _)? where !text.isEmpty: return text
            case .list(let items)?:
                if case .text(let text, _)? = items.first?.content, !text.isEmpty { return text }
            case .text, .map, .unusable, nil: continue
            }
        }
        return nil
    }

    /// Every path that there is, those of maps and lists included.
    private var paths: Set<String> {
        entries.reduce(into: []) { paths, entry in
            paths.insert(entry.key)
            paths.formUnion(entry.value.around)
        }
    }

    /// Paths with another text, or in one of them only; what came or went as a whole is told by its own path alone.
    static func differences(_ old: WrittenValues, _ new: WrittenValues) -> [String] {
        var result: Set<String> = []
        for (one, others, known) in [(new, old, old.paths), (old, new, new.paths)] {
            for (path, entry) in one.entries where entry.text != others.entries[path]?.text {
                result.insert(entry.around.first { !known.contains($0) } ?? path)
            }
        }
        for (path, names) in new.orders {
            guard let before = old.orders[path] else { continue }
            let stayed = Set(names).intersection(before)
            if names.filter(stayed.contains) != before.filter(stayed.contains) { result.insert(path) }
        }
        return result.sorted()
    }
}
