/// The `acr` of our tokens: how much a sign-in has proved, in the words of NIST SP 800-63B.
enum AuthenticationContext {
    static func of(factors: Int) -> String { factors >= 2 ? "aal2" : "aal1" }
}
