internal import COpenSSL
internal import Core

/// Makes libcrypto keys from numbers. What goes in is checked, so that a key object is always a usable one.
enum KeyBuilder {
    static let minimumRSABits: CInt = 2048
    // Verifying costs the square of the length; nobody issues longer ones.
    static let maximumRSABits: CInt = 8192

    /// The type of a key that libcrypto has read; nil for one that is not supported.
    static func type(of key: OpaquePointer) -> KeyType? {
        switch EVP_PKEY_get_id(key) {
        case EVP_PKEY_RSA: return .rsa
        case EVP_PKEY_ED25519: return .ed25519
        case EVP_PKEY_EC:
            var name = [CChar](repeating: 0, count: 64)
            var length = 0
            guard EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else {
                ERR_clear_error()
                return nil
            }
            let group = String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return KeyType.allCases.first { $0.groupName == group }
        default: return nil
        }
    }

    static func publicKey(_ components: PublicKeyComponents) throws(CryptographyError) -> (OpaquePointer, KeyType) {
        switch components {
        case .rsa(let modulus, let exponent):
            try checkRSA(modulus: modulus, exponent: exponent)
            let parameters = try KeyParameters()
            try parameters.push(OSSL_PKEY_PARAM_RSA_N, number: modulus)
            try parameters.push(OSSL_PKEY_PARAM_RSA_E, number: exponent)
            return (try parameters.makeKey("RSA", selection: gatehouse_select_public_key()), .rsa)
        case .elliptic(let type, let x, let y):
            let parameters = try curveParameters(type, x: x, y: y)
            let key = try parameters.makeKey("EC", selection: gatehouse_select_public_key())
            try checkOwned(key, EVP_PKEY_public_check, "the point is not on the curve")
            return (key, type)
        case .ed25519(let point):
            guard Ed25519Point.isUsable(point) else {
                throw CryptographyError(.invalidKey, "the 32 bytes are no usable point of Ed25519")
            }
            let key = try check(
                EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, point, point.count), "libcrypto refused the point",
                as: .invalidKey)
            return (key, .ed25519)
        }
    }

    static func privateKey(_ components: PrivateKeyComponents) throws(CryptographyError) -> (OpaquePointer, KeyType) {
        switch components {
        case .rsa(let modulus, let exponent, let d, let p, let q, let dp, let dq, let qi):
            try checkRSA(modulus: modulus, exponent: exponent)
            let parameters = try KeyParameters()
            try parameters.push(OSSL_PKEY_PARAM_RSA_N, number: modulus)
            try parameters.push(OSSL_PKEY_PARAM_RSA_E, number: exponent)
            try parameters.push(OSSL_PKEY_PARAM_RSA_D, secret: d)
            try parameters.push("rsa-factor1", secret: p)
            try parameters.push("rsa-factor2", secret: q)
            try parameters.push("rsa-exponent1", secret: dp)
            try parameters.push("rsa-exponent2", secret: dq)
            try parameters.push("rsa-coefficient1", secret: qi)
            let key = try parameters.makeKey("RSA", selection: gatehouse_select_key_pair())
            try checkOwned(key, EVP_PKEY_pairwise_check, "the numbers of the RSA key do not belong together")
            return (key, .rsa)
        case .elliptic(let type, let x, let y, let scalar):
            let parameters = try curveParameters(type, x: x, y: y)
            try parameters.push(OSSL_PKEY_PARAM_PRIV_KEY, secret: scalar)
            let key = try parameters.makeKey("EC", selection: gatehouse_select_key_pair())
            try checkOwned(key, EVP_PKEY_check, "the point is not the scalar's")
            return (key, type)
        case .ed25519(let seed):
            let key = seed.withUnsafeBytes { seed in
                EVP_PKEY_new_raw_private_key(
                    EVP_PKEY_ED25519, nil, seed.bindMemory(to: UInt8.self).baseAddress, seed.count)
            }
            return (try check(key, "an Ed25519 key has 32 bytes", as: .invalidKey), .ed25519)
        }
    }

    static func generate(_ type: KeyType, rsaBits: Int) throws(CryptographyError) -> OpaquePointer {
        let name =
            switch type {
            case .rsa: "RSA"
            case .p256, .p384, .p521: "EC"
            case .ed25519: "ED25519"
            }
        let context = try check(EVP_PKEY_CTX_new_from_name(nil, name, nil), "libcrypto has no \(name)")
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_keygen_init(context), "no key can be generated")
        if type == .rsa {
            guard let bits = CInt(exactly: rsaBits), bits >= minimumRSABits, bits <= maximumRSABits else {
                throw CryptographyError(.weakKey, "an RSA key has 2048 to 8192 bits, not \(rsaBits)")
            }
            try check(EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits), "no key can be generated")
        } else if let group = type.groupName {
            try check(EVP_PKEY_CTX_set_group_name(context, group), "no key can be generated")
        }
        var key: OpaquePointer?
        try check(EVP_PKEY_generate(context, &key), "no key can be generated")
        return try check(key, "no key can be generated")
    }

    private static func checkRSA(modulus: [UInt8], exponent: [UInt8]) throws(CryptographyError) {
        let significant = modulus.drop { $0 == 0 }
        let bits = significant.count * 8 - (significant.first?.leadingZeroBitCount ?? 0)
        guard bits >= minimumRSABits else {
            throw CryptographyError(.weakKey, "an RSA key needs at least 2048 bits, this one has \(bits)")
        }
        guard bits <= maximumRSABits else {
            throw CryptographyError(.unsupportedKey, "an RSA key may have at most 8192 bits, this one has \(bits)")
        }
        let shortExponent = exponent.drop { $0 == 0 }
        guard shortExponent.count <= 4, let last = shortExponent.last, last & 1 == 1,
            shortExponent.count > 1 || last >= 3, let low = significant.last, low & 1 == 1
        else {
            throw CryptographyError(
                .invalidKey, "the RSA key's modulus and exponent must be odd, the exponent 3 to 2^32")
        }
    }

    private static func curveParameters(
        _ type: KeyType, x: [UInt8], y: [UInt8]
    ) throws(CryptographyError) -> KeyParameters {
        guard let width = type.coordinateBytes, let group = type.groupName else {
            throw CryptographyError(.unsupportedKey, "\(type) has no points with two coordinates")
        }
        guard x.count == width, y.count == width else {
            throw CryptographyError(.invalidKey, "a coordinate of this curve has \(width) bytes")
        }
        let parameters = try KeyParameters()
        try parameters.push(OSSL_PKEY_PARAM_GROUP_NAME, text: group)
        try parameters.push(OSSL_PKEY_PARAM_PUB_KEY, bytes: [0x04] + x + y)
        return parameters
    }

    /// Runs one of libcrypto's key checks; frees the key when it fails.
    private static func checkOwned(
        _ key: OpaquePointer, _ test: (OpaquePointer?) -> CInt, _ message: String
    ) throws(CryptographyError) {
        guard let context = EVP_PKEY_CTX_new_from_pkey(nil, key, nil) else {
            EVP_PKEY_free(key)
            throw .draining(.library, "no memory for a key check")
        }
        defer { EVP_PKEY_CTX_free(context) }
        guard test(context) == 1 else {
            EVP_PKEY_free(key)
            throw .draining(.invalidKey, message)
        }
    }
}
