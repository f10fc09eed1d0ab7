internal import COpenSSL
internal import Core

/// A list of named key numbers on its way into libcrypto. The builder of libcrypto refers to names, numbers and strings
/// until the list is made, so they are kept here.
final class KeyParameters {
    private let builder: OpaquePointer
    private var numbers: [OpaquePointer] = []
    private var buffers: [UnsafeMutableBufferPointer<UInt8>] = []
    private var strings: [UnsafeMutableBufferPointer<CChar>] = []

    init() throws(CryptographyError) {
        builder = try check(OSSL_PARAM_BLD_new(), "no memory for a key")
    }

    deinit {
        OSSL_PARAM_BLD_free(builder)
        for number in numbers { BN_clear_free(number) }
        for buffer in buffers { buffer.deallocate() }
        for string in strings { string.deallocate() }
    }

    func push(_ name: String, number bytes: [UInt8]) throws(CryptographyError) {
        try push(name, bytes.withUnsafeBufferPointer { BN_bin2bn($0.baseAddress, CInt(clamping: $0.count), nil) })
    }

    func push(_ name: String, secret: SecretBytes) throws(CryptographyError) {
        let number = secret.withUnsafeBytes { bytes -> OpaquePointer? in
            guard let number = BN_secure_new() else { return nil }
            BN_set_flags(number, BN_FLG_CONSTTIME)
            return BN_bin2bn(bytes.bindMemory(to: UInt8.self).baseAddress, CInt(clamping: bytes.count), number)
        }
        try push(name, number)
    }

    private func push(_ name: String, _ number: OpaquePointer?) throws(CryptographyError) {
        let number = try check(number, "no memory for a key")
        numbers.append(number)
        try check(OSSL_PARAM_BLD_push_BN(builder, keep(name), number), "no memory for a key")
    }

    func push(_ name: String, bytes: [UInt8]) throws(CryptographyError) {
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = buffer.initialize(from: bytes)
        buffers.append(buffer)
        let pushed = OSSL_PARAM_BLD_push_octet_string(builder, keep(name), buffer.baseAddress, buffer.count)
        try check(pushed, "no memory for a key")
    }

    func push(_ name: String, text: String) throws(CryptographyError) {
        let pushed = OSSL_PARAM_BLD_push_utf8_string(builder, keep(name), keep(text), text.utf8.count)
        try check(pushed, "no memory for a key")
    }

    /// A C string that lives as long as this.
    private func keep(_ text: String) -> UnsafePointer<CChar>? {
        let string = UnsafeMutableBufferPointer<CChar>.allocate(capacity: text.utf8.count + 1)
        _ = string.initialize(from: text.utf8CString)
        strings.append(string)
        return UnsafePointer(string.baseAddress)
    }

    /// The finished key, which is the caller's to free.
    func makeKey(_ algorithm: String, selection: CInt) throws(CryptographyError) -> OpaquePointer {
        guard let list = withExtendedLifetime(self, { OSSL_PARAM_BLD_to_param(builder) }) else {
            throw .draining(.library, "no memory for a key")
        }
        defer { OSSL_PARAM_free(list) }
        let context = try check(EVP_PKEY_CTX_new_from_name(nil, algorithm, nil), "libcrypto has no \(algorithm)")
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_fromdata_init(context), "libcrypto makes no \(algorithm) key")
        var key: OpaquePointer?
        try check(
            EVP_PKEY_fromdata(context, &key, selection, list), "the numbers make no \(algorithm) key", as: .invalidKey)
        return try check(key, "the numbers make no \(algorithm) key", as: .invalidKey)
    }
}

/// Reads numbers out of a libcrypto key.
enum KeyReader {
    /// The number, big endian, without leading zeros unless `width` asks for them.
    static func number(
        _ name: String, of key: OpaquePointer, width: Int? = nil
    ) throws(CryptographyError) -> [UInt8] {
        var number: OpaquePointer?
        try check(EVP_PKEY_get_bn_param(key, name, &number), "the key has no \(name)")
        defer { BN_clear_free(number) }
        let count = max((Int(BN_num_bits(number)) + 7) / 8, width ?? 1)
        var bytes = [UInt8](repeating: 0, count: count)
        let written = BN_bn2binpad(number, &bytes, CInt(clamping: count))
        guard written >= 0, width == nil || count == width else {
            throw .draining(.library, "the key's \(name) cannot be read")
        }
        return bytes
    }

    static func components(of key: OpaquePointer, type: KeyType) throws(CryptographyError) -> PublicKeyComponents {
        switch type {
        case .rsa:
            return .rsa(
                modulus: try number(OSSL_PKEY_PARAM_RSA_N, of: key),
                exponent: try number(OSSL_PKEY_PARAM_RSA_E, of: key))
        case .p256, .p384, .p521:
            return .elliptic(
                type, x: try number(OSSL_PKEY_PARAM_EC_PUB_X, of: key, width: type.coordinateBytes),
                y: try number(OSSL_PKEY_PARAM_EC_PUB_Y, of: key, width: type.coordinateBytes))
        case .ed25519:
            var point = [UInt8](repeating: 0, count: 32)
            var count = point.count
            try check(EVP_PKEY_get_raw_public_key(key, &point, &count), "the key cannot be read")
            return .ed25519(point)
        }
    }
}
