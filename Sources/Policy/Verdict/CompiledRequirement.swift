import Core

/// What an identity lacks of one map.
struct Missing: OptionSet {
    let rawValue: UInt8

    static let group = Missing(rawValue: 1)
    static let scope = Missing(rawValue: 2)
    static let user = Missing(rawValue: 4)
    static let kind = Missing(rawValue: 8)
    static let factor = Missing(rawValue: 16)
    static let age = Missing(rawValue: 32)
    static let curable: Missing = [.factor, .age]

    /// The closest reason: what an operator could grant, then what cannot be granted, then what a step-up brings.
    var reason: Reason {
        if contains(.group) { return .groupMissing }
        if contains(.scope) { return .scopeMissing }
        if contains(.user) || contains(.kind) { return .ruleDenied }
        return contains(.factor) ? .factorMissing : .tooOld
    }
}

/// A user name that a rule names, compared without regard to case. A foreign issuer may tell names apart that Unicode calls
/// equal, or that become equal in lower case (`mark` with the Kelvin sign for its `k`): those are other people's.
private struct RuleName {
    private let written: String
    private let folded: String
    private let asciiCount: Int

    init(_ text: String) {
        written = text
        folded = text.lowercased()
        asciiCount = Self.asciiCount(text)
    }

    /// - Parameter loosely: whoever only looks like that user is meant too.
    func isName(_ user: String, loosely: Bool) -> Bool {
        if user.utf8.elementsEqual(written.utf8) { return true }
        if loosely { return user.lowercased() == folded }
        guard Self.asciiCount(user) == asciiCount else { return false }
        return user.utf8.elementsEqual(folded.utf8) || user.lowercased().utf8.elementsEqual(folded.utf8)
    }

    private static func asciiCount(_ text: String) -> Int { text.utf8.count(where: UTF8.isASCII) }
}

/// One map, compiled. An object: a rule is looked at for every request, and copying the lists costs a count each.
final class CompiledConditions: Sendable {
    private let users: [RuleName]?
    private let groups: [String]?
    private let scopes: [String]?
    private let factors: Conditions.Factors?
    private let maxAgeMilliseconds: Int64?
    private let kinds: [Identity.Kind]?

    init(_ conditions: Conditions) {
        users = conditions.users.map { $0.map(RuleName.init) }
        groups = conditions.groups
        scopes = conditions.scopes
        factors = conditions.factors
        maxAgeMilliseconds = conditions.maxAge.map(\.wholeMilliseconds)
        kinds = conditions.credentials
    }

    /// - Parameters:
    ///   - narrowed: the identity's credential is ours and carries scopes, so a map without scopes is not for it.
    ///   - loosely: whoever only looks like one of the users is meant too.
    func missing(to identity: Identity, narrowed: Bool, loosely: Bool, at now: Timestamp) -> Missing {
        var missing: Missing = []
        if let users, !users.contains(where: { $0.isName(identity.user, loosely: loosely) }) { missing.insert(.user) }
        if let groups, !groups.contains(where: { Self.holds(identity.groups, $0) }) { missing.insert(.group) }
        if let scopes {
            let held = identity.scopes ?? []
            if scopes.isEmpty || !scopes.allSatisfy({ Self.holds(held, $0) }) { missing.insert(.scope) }
        } else if narrowed {
            missing.insert(.scope)
        }
        if let kinds, !kinds.contains(identity.kind) { missing.insert(.kind) }
        if let factors, !Self.proved(factors, by: identity) { missing.insert(.factor) }
        if let maxAgeMilliseconds {
            // A factor that is wanted is to be as recent: a password given again proves it no second time.
            if !Self.isFresh(identity.authenticatedAt, within: maxAgeMilliseconds, at: now)
                || factors != nil && !Self.isFresh(identity.secondFactorAt, within: maxAgeMilliseconds, at: now)
            {
                missing.insert(.age)
            }
        }
        return missing
    }

    /// Byte for byte: `==` alone also equates canonically equivalent Unicode, which has other lengths for ASCII.
    private static func holds(_ held: [String], _ wanted: String) -> Bool {
        held.contains { $0.utf8.count == wanted.utf8.count && $0 == wanted }
    }

    /// Factors are known of sessions only; `hwk`, `swk` and `pop` are what RFC 8176 calls a key that proved possession.
    private static func proved(_ factors: Conditions.Factors, by identity: Identity) -> Bool {
        switch factors {
        case .two: identity.factors >= 2
        case .passkey: identity.factors >= 1 && identity.amr.contains { $0 == "hwk" || $0 == "swk" || $0 == "pop" }
        }
    }

    /// A time more than a minute ahead is not believed.
    private static func isFresh(_ proved: Timestamp?, within age: Int64, at now: Timestamp) -> Bool {
        guard let proved else { return false }
        let passed = (now - proved).wholeMilliseconds
        return passed <= age && passed >= -60_000
    }
}

/// Whom a rule means, compiled.
enum CompiledRequirement: Sendable {
    case everyone
    case signedIn
    case anyOf([CompiledConditions])

    init(_ requirement: Requirement) {
        switch requirement {
        case .everyone: self = .everyone
        case .signedIn: self = .signedIn
        case .anyOf(let maps): self = .anyOf(maps.map(CompiledConditions.init))
        }
    }

    /// A credential of ours that carries scopes passes only what names one of them.
    private static func isNarrowed(_ identity: Identity) -> Bool {
        identity.scopes != nil && identity.issuer == nil
    }

    /// The requirement of an `allow`.
    func judge(_ identity: Identity, at now: Timestamp) -> (verdict: Verdict, reason: Reason?) {
        let narrowed = Self.isNarrowed(identity)
        switch self {
        case .everyone: return (.allow, nil)
        case .signedIn: return narrowed ? (.deny, .scopeMissing) : (.allow, nil)
        case .anyOf(let maps):
            var stepUp: Missing?
            var closest: Missing?
            for map in maps {
                let missing = map.missing(to: identity, narrowed: narrowed, loosely: false, at: now)
                if missing.isEmpty { return (.allow, nil) }
                if missing.isSubset(of: .curable) {
                    if missing.rawValue.nonzeroBitCount < stepUp?.rawValue.nonzeroBitCount ?? .max { stepUp = missing }
                } else if missing.rawValue.nonzeroBitCount < closest?.rawValue.nonzeroBitCount ?? .max {
                    closest = missing
                }
            }
            if let stepUp { return (.stepUp, stepUp.reason) }
            return (.deny, closest?.reason ?? .ruleDenied)
        }
    }

    /// The requirement of a `deny`: scopes narrow only what lets in, and nobody gets past it by another spelling.
    func fits(_ identity: Identity, at now: Timestamp) -> Bool {
        switch self {
        case .everyone, .signedIn: true
        case .anyOf(let maps):
            maps.contains { $0.missing(to: identity, narrowed: false, loosely: true, at: now).isEmpty }
        }
    }
}
