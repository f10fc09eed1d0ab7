import Core
import HTTPWire
import Policy

/// What the credentials of one request came to.
struct Resolution {
    enum Outcome {
        case settled(CredentialState)
        /// Ask again when it is ready.
        case pending(PendingReading)
        /// Two headers of ours that differ.
        case conflict
    }

    var outcome: Outcome
    /// What the app must not see.
    var removed: FieldMask
    /// `Cookie` fields of which the app must see the rest only.
    var filtered = FieldMask()
    /// Something that is ours by its shape stood where the route looks, so nothing else decides.
    var hasFound = true
    /// What was refused is an API key.
    var isRefusedKey = false
}

/// Finds the credential that is ours: key header, then `Authorization`, then a cookie of our name; the first that is ours
/// by its shape decides alone. What has another shape belongs to the app and is not looked into.
///
/// Ours are `gate_…` in `Gatehouse-Key`, `X-API-Key`, `Authorization: Bearer` or as a Basic password, and a JWT that
/// one of the readers does not call `notMine`. Two of ours that differ are a conflict; what stands where the route does
/// not look is taken out and decides nothing.
struct CredentialResolver {
    private let fields: [HeaderField]
    let bytes: UnsafeRawBufferPointer
    let scan: HeadScan
    let site: Site
    let sources: CredentialSources
    /// A JWT of a configured issuer goes on to the app.
    let forwardsForeign: Bool
    let reader: any CredentialReader
    let now: Timestamp
    /// The 150 ms have been waited: what is still pending is refused.
    let waited: Bool
    /// Which of a session's two cookies is looked at.
    let plane: SessionOrigin.Plane

    private static let maximumCookies = 4

    private var filtered = FieldMask()
    private var cookies = InlineArray<4, UnsafeRawBufferPointer>(
        repeating: UnsafeRawBufferPointer(start: nil, count: 0))
    private var cookieCount = 0
    private var removed = FieldMask()
    private var presented: Presented?
    private var conflict = false
    /// The first field that may hold a token, and then the one whose token is ours.
    private var token = -1
    private var tokens = FieldMask()
    private var tokenCount = 0

    private struct Presented {
        let source: PresentedCredential.Source
        let bytes: UnsafeRawBufferPointer
    }

    init(
        head: RequestHead, bytes: UnsafeRawBufferPointer, scan: HeadScan, site: Site, sources: CredentialSources,
        forwardsForeign: Bool, reader: any CredentialReader, now: Timestamp, waited: Bool,
        plane: SessionOrigin.Plane = .app
    ) {
        self.plane = plane
        fields = head.fields
        self.bytes = bytes
        self.scan = scan
        self.site = site
        self.sources = sources
        self.forwardsForeign = forwardsForeign
        self.reader = reader
        self.now = now
        self.waited = waited
    }

    /// Whether a head has anything that could be a credential of ours; if not, there is nothing to resolve.
    static func hasCandidates(_ scan: HeadScan) -> Bool {
        scan.gatehouseKeys + scan.apiKeys + scan.authorizations + scan.cookies + scan.possibleAliases > 0
    }

    mutating func resolve() -> Resolution {
        lookAtKeyHeaders()
        var decoded: [UInt8] = []
        lookAtAuthorization(&decoded)
        if scan.cookies > 0 { lookAtCookies() }
        var resolution = decoded.withUnsafeBytes { decoded in
            if !decoded.isEmpty { consider(.basicPassword, decoded, looked: sources.contains(.authorization)) }
            return conclude()
        }
        resolution.filtered = filtered
        return resolution
    }

    /// Ours are taken out wherever they stand and however they are spelled; read is only the very name that we set.
    private mutating func lookAtCookies() {
        for index in fields.indices where fields[index].id == .cookie {
            CookiePairs.forEach(in: fields[index].value.bytes(in: bytes)) { pair, name, value in
                guard site.ownCookies.contains(name: name) else { return }
                filtered.insert(index)
                let wanted = plane == .app ? site.ownCookies.app : site.ownCookies.portal
                guard cookieCount < Self.maximumCookies, sources.contains(.cookie),
                    wanted.withUnsafeBytes({ ByteSearch.equal(name, $0) })
                else { return }
                cookies[cookieCount] = value
                cookieCount += 1
            }
        }
    }

    /// One that is not, or not any more, good is nobody's: the browser is sent to sign in. Two that are good and of
    /// different sessions are nobody's either (an app on a sibling host can set a second one).
    private func concludeWithCookies() -> Resolution {
        var found: Identity?
        for index in 0..<cookieCount {
            switch read(plane == .app ? .cookie : .portalCookie, cookies[index]) {
            case .identity(let identity):
                guard let known = found else {
                    found = identity
                    continue
                }
                if known.session != identity.session {
                    return settled(.refused(CredentialRefusal(.credentialsDisagree)))
                }
            case .refused(let refusal) where refusal.reason == .storeUnavailable: return settled(.refused(refusal))
            case .refused, .notMine, .pending: continue
            }
        }
        var resolution = settled(found.map { .identity($0) } ?? .none)
        resolution.hasFound = cookieCount > 0
        return resolution
    }

    private func settled(_ state: CredentialState) -> Resolution {
        Resolution(outcome: .settled(state), removed: removed)
    }

    private mutating func lookAtKeyHeaders() {
        guard scan.gatehouseKeys + scan.apiKeys + scan.possibleAliases > 0 else { return }
        for index in fields.indices {
            let id = fields[index].id
            guard id == .gatehouseKey || id == .xAPIKey || isAlias(fields[index]) else { continue }
            let value = fields[index].value.bytes(in: bytes)
            guard ByteSearch.hasPrefix(value, "gate_") else {
                if isStrayToken(value) { removed.insert(index) }
                continue
            }
            removed.insert(index)
            guard id != .other else { continue }
            consider(.keyHeader, value, looked: sources.contains(.key))
        }
    }

    /// `X_API_Key` and its like: no header of ours, and yet the same variable for an app behind CGI or WSGI. (Those of
    /// `Gatehouse-Key` are reserved.)
    private func isAlias(_ field: HeaderField) -> Bool {
        field.id == .other && field.name.count == HeadScan.aliasLength
            && HeaderHygiene.canonicalEquals(field.name.bytes(in: bytes), "x-api-key")
    }

    /// - Parameter decoded: gets the password of Basic, which has to stay in memory until it has been read.
    private mutating func lookAtAuthorization(_ decoded: inout [UInt8]) {
        guard scan.authorizations > 0 else { return }
        for index in fields.indices where fields[index].id == .authorization {
            let value = fields[index].value.bytes(in: bytes)
            if let bearer = Self.parameter(of: "bearer", in: value) {
                if ByteSearch.hasPrefix(bearer, "gate_") {
                    removed.insert(index)
                    consider(.bearer, bearer, looked: sources.contains(.authorization))
                } else if Self.isTokenShaped(bearer) {
                    if token < 0 { token = index }
                    tokens.insert(index)
                    tokenCount += 1
                }
            } else if let basic = Self.parameter(of: "basic", in: value) {
                let pair = Self.pair(of: basic)
                guard let password = Self.password(in: pair) else {
                    if hasStrayToken(pair) { removed.insert(index) }
                    continue
                }
                removed.insert(index)
                guard sources.contains(.authorization) else { continue }
                if !decoded.isEmpty, decoded != password { conflict = true }
                decoded = password
            } else if isStrayToken(value) {
                removed.insert(index)
            }
        }
    }

    private mutating func consider(_ source: PresentedCredential.Source, _ value: UnsafeRawBufferPointer, looked: Bool)
    {
        guard looked else { return }
        if let presented {
            if !ByteSearch.equal(presented.bytes, value) { conflict = true }
        } else {
            presented = Presented(source: source, bytes: value)
        }
    }

    private mutating func conclude() -> Resolution {
        if conflict { return Resolution(outcome: .conflict, removed: removed) }
        guard token >= 0 else { return concludeWithoutToken() }
        guard sources.contains(.authorization) else {
            removeUnseenTokens()
            return concludeWithoutToken()
        }
        guard let reading = readTokens() else { return Resolution(outcome: .conflict, removed: removed) }
        if case .notMine = reading { return concludeWithoutToken() }
        // A key of ours and a token of ours are two.
        guard presented == nil else { return Resolution(outcome: .conflict, removed: removed) }
        return concludeWithToken(reading)
    }

    private func concludeWithoutToken() -> Resolution {
        guard let presented else { return concludeWithCookies() }
        return concludeWithKey(presented)
    }

    private func concludeWithKey(_ presented: Presented) -> Resolution {
        let state: CredentialState
        switch read(presented.source, presented.bytes) {
        case .identity(let identity): state = .identity(identity)
        case .refused(let refusal): state = .refused(refusal)
        // It has our shape, so it is ours, whatever the readers think.
        case .notMine: state = .refused(CredentialRefusal(.credentialUnknown))
        case .pending(let pending):
            guard waited else { return Resolution(outcome: .pending(pending), removed: removed) }
            state = .refused(CredentialRefusal(.credentialUnknown))
        }
        var resolution = settled(state)
        if case .refused(let refusal) = state { resolution.isRefusedKey = refusal.reason != .storeUnavailable }
        return resolution
    }

    /// What the readers say of the token that is ours; `notMine` when none is. The others are the app's.
    ///
    /// - Returns: nil when two are ours and differ.
    private mutating func readTokens() -> CredentialReading? {
        guard tokenCount > 1 else { return read(.bearer, bearer(at: token)) }
        var found = CredentialReading.notMine
        token = -1
        for index in fields.indices where tokens.contains(index) {
            if token >= 0, ByteSearch.equal(bearer(at: index), bearer(at: token)) { continue }
            let reading = read(.bearer, bearer(at: index))
            if case .notMine = reading {
                tokens.remove(index)
            } else {
                guard token < 0 else { return nil }
                token = index
                found = reading
            }
        }
        return found
    }

    private mutating func concludeWithToken(_ reading: CredentialReading) -> Resolution {
        let state: CredentialState
        switch reading {
        case .notMine: return concludeWithoutToken()
        case .identity(let identity):
            state = .identity(identity)
            if identity.issuer == nil || !forwardsForeign { removeTokens() }
        case .refused(let refusal):
            state = .refused(refusal)
            if !forwardsForeign || isOwn(bearer(at: token)) { removeTokens() }
        case .pending(let pending):
            guard waited else { return Resolution(outcome: .pending(pending), removed: removed) }
            state = .refused(CredentialRefusal(.credentialUnknown))
            if !forwardsForeign { removeTokens() }
        }
        return settled(state)
    }

    /// The route does not look at `Authorization`: what stands there is the app's, unless it is a token that no app
    /// may hold.
    private mutating func removeUnseenTokens() {
        for index in fields.indices where tokens.contains(index) {
            let bearer = bearer(at: index)
            if !isOwn(bearer) {
                guard !forwardsForeign else { continue }
                if case .notMine = read(.bearer, bearer) { continue }
            }
            removed.insert(index)
        }
    }

    /// Those that are ours; the app's are not among them any more.
    private mutating func removeTokens() {
        for index in fields.indices where tokens.contains(index) { removed.insert(index) }
    }

    private func bearer(at index: Int) -> UnsafeRawBufferPointer {
        Self.parameter(of: "bearer", in: fields[index].value.bytes(in: bytes))
            ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// A token of ours where none is read, as a client may have put it by mistake: no app may hold it all the same.
    private func isStrayToken(_ value: UnsafeRawBufferPointer) -> Bool {
        let characters = value.bindMemory(to: UInt8.self)
        return LooseToken.isLikely(characters.span) && isOwn(value)
    }

    /// One that is the user or the password of Basic.
    private func hasStrayToken(_ pair: [UInt8]) -> Bool {
        pair.withUnsafeBytes { pair in
            let colon = pair.firstIndex(of: UInt8(ascii: ":")) ?? pair.count - 1
            return isStrayToken(pair) || isStrayToken(UnsafeRawBufferPointer(rebasing: pair[(colon + 1)...]))
        }
    }

    /// A token that we issued, or that says so, whatever else it is.
    private func isOwn(_ bearer: UnsafeRawBufferPointer) -> Bool {
        let characters = bearer.bindMemory(to: UInt8.self)
        return LooseToken.names(characters.span, issuer: site.configuration.publicURL)
    }

    private func read(_ source: PresentedCredential.Source, _ value: UnsafeRawBufferPointer) -> CredentialReading {
        let characters = value.bindMemory(to: UInt8.self)
        return reader.read(PresentedCredential(source: source, bytes: characters.span), at: now)
    }

    /// What follows the scheme of `Authorization` (RFC 9110 section 11.4), without blanks; nil for another scheme. Many
    /// who read it take a tab for a space.
    private static func parameter(of scheme: StaticString, in value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer?
    {
        let count = scheme.utf8CodeUnitCount
        guard value.count > count, ByteSearch.isBlank(value[count]),
            ByteSearch.hasPrefixIgnoringCase(value, scheme)
        else { return nil }
        return ByteSearch.trimmed(UnsafeRawBufferPointer(rebasing: value[(count + 1)...]))
    }

    /// May be the compact form of a JWS: three parts, of which the first begins as a JSON object does in Base 64; or
    /// anything that an app could take for one. Whether the parts are what they should be is for the readers to see.
    static func isTokenShaped(_ value: UnsafeRawBufferPointer) -> Bool {
        if ByteSearch.hasPrefix(value, "ey"), ByteSearch.count(UInt8(ascii: "."), in: value) == 2 { return true }
        let characters = value.bindMemory(to: UInt8.self)
        return LooseToken.isLikely(characters.span)
    }

    /// User and password of Basic credentials with a colon in between (RFC 7617 section 2). What is no good Base 64 is
    /// read as those read it who do not mind: a key in it is a key.
    private static func pair(of basic: UnsafeRawBufferPointer) -> [UInt8] {
        let characters = basic.bindMemory(to: UInt8.self)
        return Base64.decode(characters.span) ?? LooseToken.decode(characters.span)
    }

    /// The password, if it has the shape of a key of ours.
    private static func password(in pair: [UInt8]) -> [UInt8]? {
        guard let colon = pair.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let password = Array(pair[(colon + 1)...])
        return password.starts(with: "gate_".utf8) ? password : nil
    }
}
