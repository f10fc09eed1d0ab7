/// What a person can mend themselves where an operation refuses what they want. The raw value names the words for it, so
/// that a page says it in the reader's language, beside the field that it is about.
public enum UserProblem: String, Sendable, CaseIterable {
    /// Neither a user name nor an address.
    case identifierMissing = "identifier_missing"
    /// No e-mail address by its form.
    case emailMalformed = "email_malformed"
    /// The address of the account already.
    case emailUnchanged = "email_unchanged"
    /// A name that is too long, or holds what is not seen.
    case nameMalformed = "name_malformed"
    /// A key or a passkey without a name.
    case nameMissing = "name_missing"
    /// `api_keys.require_routes` is set and none is named.
    case routesMissing = "routes_missing"
    /// A route that there is not.
    case routeUnknown = "route_unknown"
    /// As many keys as one may have.
    case tooManyKeys = "keys_too_many"
    /// As many passkeys as one may have.
    case tooManyPasskeys = "passkeys_too_many"
    /// Nobody could sign in to the account any more.
    case lastWay = "last_way"
    /// The operator wants a second factor, and this is the last one.
    case factorRequired = "factor_required"
    /// There is no authenticator whose code would be asked for.
    case authenticatorMissing = "authenticator_missing"
}
