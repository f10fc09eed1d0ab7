internal import Core

/// The known ways around an authenticating proxy, as a table: what is sent, and what must not come of it. Each part is
/// a list of its own; a further row is a further line.
///
/// Everything here is harmless: heads without bodies, one at a time, to a route made for it; no half requests that
/// would stay behind in a shared connection.
enum Corpus {
    static func probes(for place: Surroundings) -> [Probe] {
        identity(place) + forwarding(place) + others(place) + hopByHop(place) + credentials(place) + paths(place)
            + descriptions(place) + openings(place) + upgrades(place) + redirects(place) + checks(place)
    }

    // MARK: Headers that must not arrive

    /// Forged in the open area without a credential, and in the closed one with the key.
    private static func forged(_ name: String, _ fields: [Probe.Field], _ place: Surroundings) -> [Probe] {
        var probes: [Probe] = []
        if let path = place.openPath {
            probes.append(Probe(name: name, target: path, fields: fields, test: .keepsMarksOut))
        }
        if let path = place.closedPath, let key = place.key {
            probes.append(
                Probe(
                    name: name + ", signed in", target: path,
                    fields: [Probe.Field("X-API-Key", key)] + fields, usesKey: true, test: .keepsMarksOut))
        }
        return probes
    }

    private static func marked(_ names: [String]) -> [Probe.Field] {
        names.enumerated().map { number, name in
            Probe.Field(name, "doctor-forged-\(number)", mark: "doctor-forged-\(number)")
        }
    }

    /// Other spellings of a name that servers take for the same.
    static let spellings: [(name: String, of: @Sendable (String) -> String)] = [
        ("as they are", { $0 }),
        ("in small letters", { $0.lowercased() }),
        ("with underscores", { $0.replacing("-", with: "_") }),
        (
            "with one underscore",
            { name in
                guard let dash = name.lastIndex(of: "-") else { return name + "_" }
                return name.replacingCharacter(at: dash, by: "_")
            }
        ),
        ("with dots", { $0.replacing("-", with: ".") }),
    ]

    private static func identity(_ place: Surroundings) -> [Probe] {
        spellings.flatMap { spelling in
            forged("identity headers \(spelling.name)", marked(place.identityNames.map(spelling.of)), place)
        } + forged("identity headers twice", marked(place.identityNames + place.identityNames), place)
    }

    private static func forwarding(_ place: Surroundings) -> [Probe] {
        let fields = [
            Probe.Field("X-Forwarded-For", "203.0.113.77", mark: "203.0.113.77"),
            Probe.Field("X-Forwarded-Host", Surroundings.elsewhere, mark: Surroundings.elsewhere),
            Probe.Field("X-Forwarded-Proto", "doctor", mark: "doctor"),
        ]
        // One by one: a request that is refused for one of them would say nothing about the others.
        return spellings.flatMap { spelling in
            fields.flatMap { field in
                let name = spelling.of(field.name)
                return forged(name, [Probe.Field(name, field.value, mark: field.mark)], place)
            }
        }
    }

    /// Names that apps and frameworks believe elsewhere.
    static let otherNames = [
        "X-Remote-User", "X-Remote-Groups", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
        "X-Forwarded-Preferred-Username", "X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups",
        "X-WEBAUTH-USER", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "Forwarded", "X-Real-IP",
        "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method",
        "X-Client-Cert", "X-Envoy-Internal", "X-Forwarded-Access-Token", "X-Forwarded-Client-Cert",
        "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-Forwarded-Scheme", "X-Forwarded-Ssl",
        "X-Forwarded-Path", "X-Forwarded-By", "X-Forwarded-Roles", "X-Forwarded-Name", "X-Forwarded-Uri",
        "X-Forwarded-Method", "Remote-Role", "X-Remote-Role", "X-Auth-Request-Roles", "X-WEBAUTH-ADMIN",
        "X-Original-Path", "X-Client-Cert-Subject", "X-Envoy-External-Address", "X-Gatehouse-User", "Proxy-User",
    ]

    /// One that nobody has heard of in each family: whoever takes out the names that he knows lets these through.
    static let madeUpNames = [
        "Remote-Doctor", "X-Remote-Doctor", "X-Auth-Request-Doctor", "X-Forwarded-Doctor", "X-Original-Doctor",
        "X-Client-Cert-Doctor", "X-WEBAUTH-DOCTOR", "X-Gatehouse-Doctor", "Gatehouse-Doctor", "Proxy-Doctor",
        "X-Envoy-Doctor",
    ]

    private static func others(_ place: Surroundings) -> [Probe] {
        // One that Gatehouse reads as a description would be refused with it, and hide the rest.
        let described = ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Original-Path"]
        let names = (otherNames + madeUpNames).filter { name in
            !place.identityNames.contains { HeaderText.fold($0) == HeaderText.fold(name) }
        }
        let plain = names.filter { !described.contains($0) }
        // No more at a time than a proxy takes.
        let groups = stride(from: 0, to: plain.count, by: 20).map { plain[$0..<min($0 + 20, plain.count)] }
        return groups.enumerated().flatMap { forged("headers of others, part \($0 + 1)", marked(Array($1)), place) }
            + described.flatMap { forged($0, marked([$0]), place) }
    }

    private static func hopByHop(_ place: Surroundings) -> [Probe] {
        guard let path = place.closedPath, let key = place.key else { return [] }
        return place.identityNames.flatMap { [$0, $0.lowercased()] }.map { name in
            Probe(
                name: "Connection names \(name)", target: path,
                fields: [Probe.Field("X-API-Key", key), Probe.Field("Connection", "close, \(name)")], usesKey: true,
                test: .keepsIdentity)
        }
    }

    // MARK: Credentials

    private static func credentials(_ place: Surroundings) -> [Probe] {
        var probes: [Probe] = []
        func add(_ path: String, _ key: String, signedIn: Bool) {
            let basic = Base64.encode(Array("doctor:\(key)".utf8))
            let ways = [
                ("X-API-Key", key, key), ("Gatehouse-Key", key, key), ("Authorization", "Bearer \(key)", key),
                ("Authorization", "Basic \(basic)", basic),
            ]
            for (name, value, mark) in ways {
                probes.append(
                    Probe(
                        name: "\(value.split(separator: " ").count > 1 ? value.prefix(6).trimmed : "key") in \(name)",
                        target: path, fields: [Probe.Field(name, value, mark: mark)], usesKey: signedIn,
                        test: .keepsCredential))
            }
        }
        if let path = place.closedPath, let key = place.key { add(path, key, signedIn: true) }
        if let path = place.openPath {
            let value = String(repeating: "d", count: 43)
            let cookie = Probe.Field("Cookie", "\(place.cookie)=\(value); other=kept", mark: value)
            probes.append(
                Probe(name: "our cookie", target: path, fields: [cookie], test: .keepsCredential))
            if place.key == nil { add(path, Surroundings.falseKey, signedIn: false) }
        }
        return probes
    }

    // MARK: Ways past the check

    /// `OPEN/` is the open folder, `CLOSED` the closed path without its first slash.
    static let pathTemplates = [
        "OPEN/../CLOSED", "OPEN/%2e%2e/CLOSED", "OPEN/.%2e/CLOSED", "OPEN/%2E%2E/CLOSED", "OPEN/..;/CLOSED",
        "OPEN/..;x=1/CLOSED", "OPEN/..%3b/CLOSED", "OPEN/..%2fCLOSED", "OPEN/..%2FCLOSED", "OPEN/%2e%2e%2fCLOSED",
        "OPEN/..%5cCLOSED", "OPEN/..\\CLOSED", "OPEN/%252e%252e/CLOSED", "OPEN/..%252fCLOSED", "OPEN/..%00/CLOSED",
        "OPEN/%c0%ae%c0%ae/CLOSED", "OPEN/%2e%2e;/CLOSED", "OPEN/x/../../CLOSED", "OPEN//../CLOSED",
        "/./CLOSED", "//CLOSED", "///CLOSED", "/%2e/CLOSED", "/;/CLOSED", "/.;/CLOSED", "/%2fCLOSED", "/%5cCLOSED",
        "/CLOSED/../OPENNAME/x", "/CLOSED/%2e%2e/OPENNAME/x", "/CLOSED/..;/OPENNAME/x", "/CLOSED/..%2fOPENNAME/x",
        "/CLOSED;OPEN/x", "/CLOSED%00OPEN/x", "/CLOSED%00.css", "/CLOSED%2f..%2fOPENNAME/x", "/CLOSED%23OPEN/x",
        "/CLOSED%3fOPEN/x", "/CLOSED\\..\\OPENNAME", "/CLOSED%0a.css", "/CLOSED%20", "/CLOSED%09",
        "OPEN/..%c0%afCLOSED", "OPEN/..%ef%bc%8fCLOSED",
    ]

    private static func paths(_ place: Surroundings) -> [Probe] {
        guard let closed = place.closedPath else { return [] }
        let folder = place.openPath.flatMap { path in path.lastIndex(of: "/").map { String(path[..<$0]) } } ?? ""
        return pathTemplates.compactMap { template in
            guard !folder.isEmpty || !template.contains("OPEN") else { return nil }
            let target = template.replacing("OPENNAME", with: String(folder.dropFirst()))
                .replacing("OPEN", with: folder).replacing("CLOSED", with: String(closed.dropFirst()))
            return Probe(name: "path \(target)", target: target, test: .isGuarded(.pathAmbiguous))
        }
    }

    private static func descriptions(_ place: Surroundings) -> [Probe] {
        guard let closed = place.closedPath, let open = place.openPath else { return [] }
        let url = "\(place.scheme)://\(place.host)\(open)"
        let rows: [[(String, String)]] = [
            [("X-Original-URL", url)], [("X-Original-URL", url), ("X-Original-Method", "GET")],
            [("X-Original-Method", "OPTIONS")], [("X-Original-URI", open)], [("X_Original_URL", url)],
            [("X-Forwarded-Uri", open)], [("X-Forwarded-Uri", open), ("X-Forwarded-Method", "GET")],
            [
                ("X-Forwarded-Uri", open), ("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", place.host),
                ("X-Forwarded-Proto", place.scheme),
            ],
            [("X_Forwarded_Uri", open)], [("X-Forwarded-Path", open)], [("X-Rewrite-URL", open)],
            [("X-Envoy-Original-Path", open)], [("X-Original-Path", open)], [("X-Auth-Request-Redirect", open)],
            [("X-Forwarded-Method", "OPTIONS")], [("X-HTTP-Method-Override", "OPTIONS")],
            [("X-Original-Host", place.host), ("X-Original-URL", url), ("X-Original-Method", "GET")],
            [("X-Forwarded-Prefix", open)], [("X-Forwarded-For", "127.0.0.1")], [("X-Real-IP", "127.0.0.1")],
            [("Forwarded", "for=127.0.0.1;host=\(place.host)")], [("X-Accel-Redirect", open)],
        ]
        return rows.map { row in
            Probe(
                name: "described by " + row.map { "\($0): \($1)" }.joined(separator: ", "), target: closed,
                fields: row.map { Probe.Field($0, $1) }, test: .isGuarded(.describedByClient))
        }
    }

    /// Parts of a host that operators exempt without meaning all of it.
    private static func openings(_ place: Surroundings) -> [Probe] {
        guard let closed = place.closedPath else { return [] }
        let test = Probe.Test.isGuarded(.unguarded)
        var probes = [
            "", ".css", ".js", ".png", ".svg", ".ico", ".woff2", ".map", ".json", ".html", ".txt", ".php", "/",
            "?x.css",
            "?/public", "/index.html",
        ].map { Probe(name: "path \(closed)\($0)", target: closed + $0, test: test) }
        probes += [
            "/favicon.ico", "/robots.txt", "/.well-known/security.txt", "/.well-known/acme-challenge/doctor", "/health",
            "/healthz", "/ping", "/status", "/metrics", "/static/doctor", "/assets/doctor", "/api/health", "/.auth",
            "/.authx/doctor", "/.auth../doctor",
        ].map { Probe(name: "path \($0)", target: $0, test: test) }
        probes += ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "DOCTOR", "get"].map {
            Probe(name: "method \($0)", method: $0, target: closed, test: test)
        }
        let lines: [[(String, String)]] = [
            [("User-Agent", "")], [("User-Agent", "kube-probe/1.33")], [("User-Agent", "GoogleHC/1.0")],
            [("User-Agent", "ELB-HealthChecker/2.0")], [("Referer", "\(place.scheme)://\(place.host)/")],
            [("X-Requested-With", "XMLHttpRequest")], [("Cookie", "\(place.cookie)=x; \(place.cookie)=y")],
            [("Authorization", "Bearer doctor")], [("Authorization", "Basic ZG9jdG9yOmRvY3Rvcg==")],
            [("Connection", "close, X-Original-URL, X-Original-Method, X-Forwarded-Uri, X-Forwarded-Method")],
            [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
        ]
        probes += lines.map { line in
            Probe(
                name: line.map { "\($0): \($1)" }.joined(separator: ", "), target: closed,
                fields: line.map { Probe.Field($0, $1) }, test: test)
        }
        probes.append(
            Probe(name: "HTTP/1.0", target: closed, version: "HTTP/1.0", test: test))
        probes.append(
            Probe(
                name: "absolute form", target: "\(place.scheme)://\(place.host)\(closed)", test: test))
        probes.append(
            Probe(
                name: "two hosts", target: closed, fields: [Probe.Field("Host", Surroundings.elsewhere)], test: test))
        return probes
    }

    /// An app that takes it speaks HTTP/2 with the client from then on, through a tunnel that nobody looks into.
    private static func upgrades(_ place: Surroundings) -> [Probe] {
        guard let path = place.openPath else { return [] }
        let rows: [(connection: String, upgrade: String)] = [
            ("Upgrade, HTTP2-Settings", "h2c"), ("Upgrade", "h2c"), ("upgrade", "websocket, h2c"), ("Upgrade", "H2C"),
        ]
        return rows.map { connection, upgrade in
            Probe(
                name: "Upgrade: \(upgrade) by \(connection)", target: path,
                fields: [
                    Probe.Field("Connection", connection), Probe.Field("Upgrade", upgrade),
                    Probe.Field("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
                ], test: .keepsUpgradeOut)
        }
    }

    // MARK: Answers

    static let redirectTargets = [
        "//\(Surroundings.elsewhere)", "//\(Surroundings.elsewhere)/", "//\(Surroundings.elsewhere)/%2e%2e",
        "///\(Surroundings.elsewhere)/", "/\\\(Surroundings.elsewhere)/", "/%5c\(Surroundings.elsewhere)/",
        "/%09/\(Surroundings.elsewhere)/", "/%2f\(Surroundings.elsewhere)/", "//\(Surroundings.elsewhere)/..;/",
        "/.\(Surroundings.elsewhere)", "/@\(Surroundings.elsewhere)",
        "/x%0d%0aDoctor-Injected:%201", "/x%0aDoctor-Injected:%201", "/%0d%0aDoctor-Injected:%201%0d%0a/..",
        "/?x=%0d%0aDoctor-Injected:%201",
    ]

    private static let navigation = [
        Probe.Field("Sec-Fetch-Mode", "navigate"), Probe.Field("Sec-Fetch-Dest", "document"),
        Probe.Field("Accept", "text/html"),
    ]

    private static func redirects(_ place: Surroundings) -> [Probe] {
        var probes = redirectTargets.map {
            Probe(name: "answer to \($0)", target: $0, fields: navigation, test: .staysHere)
        }
        let away = Surroundings.elsewhere
        let returns = [
            "https://\(away)/", "//\(away)/", "/\\\(away)/", "https:\(away)",
            "\(place.scheme)://\(place.host)@\(away)/",
            "\(place.scheme)://\(place.host).\(away)/", "/%09/\(away)", "javascript:alert(1)",
        ]
        for value in returns {
            for page in ["login", "logout"] {
                let target = "/.auth/\(page)?return_to=" + PercentText.encode(value)
                probes.append(Probe(name: "answer to \(target)", target: target, fields: navigation, test: .staysHere))
            }
        }
        let closed = place.closedPath ?? "/"
        let headers: [(name: String, value: String)] = [
            ("X-Forwarded-Host", away), ("X-Host", away), ("X-Forwarded-Server", away), ("Forwarded", "host=\(away)"),
            ("X-Original-Host", away), ("X-Forwarded-Proto", "https://\(away)/?"), ("X-Forwarded-Port", "1@\(away)"),
        ]
        for (name, value) in headers {
            probes.append(
                Probe(
                    name: "answer with \(name): \(value)", target: closed,
                    fields: navigation + [Probe.Field(name, value)], test: .staysHere))
        }
        return probes
    }

    private static func checks(_ place: Surroundings) -> [Probe] {
        let open = place.openPath ?? "/"
        let url = "\(place.scheme)://\(place.host)\(open)"
        let hosts: [String] = [place.host, place.portal]
        return hosts.flatMap { (host: String) -> [Probe] in
            ProxyKind.allCases.map(\.rawValue).map { (proxy: String) -> Probe in
                Probe(
                    name: "/.auth/check/\(proxy) of \(host)",
                    target: "/.auth/check/\(proxy)" + (proxy == "envoy" ? open : ""), host: host,
                    fields: [
                        Probe.Field("X-Original-URL", url), Probe.Field("X-Original-Method", "GET"),
                        Probe.Field("X-Forwarded-Method", "GET"), Probe.Field("X-Forwarded-Host", place.host),
                        Probe.Field("X-Forwarded-Uri", open), Probe.Field("X-Forwarded-Proto", place.scheme),
                    ].filter { proxy == "nginx" ? $0.name.hasPrefix("X-Original") : !$0.name.hasPrefix("X-Original") },
                    test: .isNoCheck)
            }
        }
    }
}

extension String {
    func replacingCharacter(at place: String.Index, by text: String) -> String {
        String(self[..<place]) + text + self[index(after: place)...]
    }
}

extension Substring {
    /// Without spaces at its ends.
    var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}

enum PercentText {
    /// Everything but letters and digits as `%xx` (RFC 3986 section 2.1).
    static func encode(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                String(UnicodeScalar(byte))
            default: (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
            }
        }.joined()
    }
}
