internal import Core
internal import Cryptography

extension JWK {
    /// Whose key set it is.
    enum Origin {
        /// Published by somebody else: public keys only.
        case fetched
        /// Written by the operator, who may share a secret with an issuer.
        case operatorConfigured
    }

    /// Reads one key. Unknown members are ignored; certificates in it (`x5c`, `x5u`) too.
    ///
    /// - Throws: `unusableKey`, `malformed`; the message never holds a member's value.
    init(parsing value: JSONValue, origin: Origin) throws(JOSEError) {
        guard value.isObject, let type = value["kty"]?.string else {
            throw JOSEError(.malformed, "a key is an object with kty")
        }
        let keyID = try Self.text("kid", of: value)
        if let use = try Self.text("use", of: value), use != "sig" {
            throw JOSEError(.unusableKey, "its use is not sig")
        }
        if let operations = value["key_ops"], operations.strings?.contains("verify") != true {
            throw JOSEError(.unusableKey, "its key_ops lack verify")
        }
        var algorithm: JWSAlgorithm?
        if let name = try Self.text("alg", of: value) {
            guard let known = JWSAlgorithm(rawValue: name) else {
                throw JOSEError(.unusableKey, "its alg is not supported")
            }
            algorithm = known
        }
        if type == "oct" {
            guard origin == .operatorConfigured else {
                throw JOSEError(.unusableKey, "a symmetric key is taken only from the operator")
            }
            try self.init(
                symmetric: SecretBytes(copying: try Self.bytes("k", of: value)), algorithm: algorithm, keyID: keyID)
            return
        }
        guard value["d"] == nil else { throw JOSEError(.unusableKey, "a private key is public knowledge here") }
        let components = try Self.components(type: type, of: value)
        let key: PublicKey
        do throws(CryptographyError) {
            key = try PublicKey(components)
        } catch {
            throw JOSEError(.unusableKey, error.message)
        }
        try self.init(parsed: key, algorithm: algorithm, keyID: keyID)
    }

    private static func components(type: String, of value: JSONValue) throws(JOSEError) -> PublicKeyComponents {
        switch type {
        case "RSA":
            return .rsa(modulus: try bytes("n", of: value), exponent: try bytes("e", of: value))
        case "EC":
            guard let name = try text("crv", of: value), let curve = JWKCurve.type(named: name) else {
                throw JOSEError(.unusableKey, "its curve is not supported")
            }
            return .elliptic(curve, x: try bytes("x", of: value), y: try bytes("y", of: value))
        case "OKP":
            guard value["crv"]?.equals("Ed25519") == true else {
                throw JOSEError(.unusableKey, "its curve is not supported")
            }
            return .ed25519(try bytes("x", of: value))
        default:
            throw JOSEError(.unusableKey, "its kty is not supported")
        }
    }

    private static func text(_ name: String, of value: JSONValue) throws(JOSEError) -> String? {
        guard let member = value[name] else { return nil }
        guard let string = member.string else { throw JOSEError(.malformed, "\(name) of a key is a string") }
        return string
    }

    private static func bytes(_ name: String, of value: JSONValue) throws(JOSEError) -> [UInt8] {
        guard let text = value[name]?.utf8, let bytes = Base64URL.decode(text.span), !bytes.isEmpty else {
            throw JOSEError(.malformed, "\(name) of a key is base64url")
        }
        return bytes
    }
}
