internal import COpenSSL
internal import Core

/// libcrypto takes any 32 bytes for an Ed25519 key and notices only while verifying. This finds out at once whether they
/// are the canonical encoding of a point of the curve (RFC 8032 section 5.1.3) whose order is not a small one: with a
/// key of small order a signature fits more than one message.
enum Ed25519Point {
    private static let prime = hexadecimal("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed")
    private static let d = hexadecimal("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3")
    // The y of all points whose order is 1, 2, 4 or 8, little endian.
    private static let smallOrder: [[UInt8]] = [
        hexadecimal("0000000000000000000000000000000000000000000000000000000000000000"),
        hexadecimal("0100000000000000000000000000000000000000000000000000000000000000"),
        hexadecimal("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hexadecimal("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hexadecimal("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ]

    static func isUsable(_ encoded: [UInt8]) -> Bool {
        guard encoded.count == 32 else { return false }
        var y = encoded
        y[31] &= 0x7f
        return !smallOrder.contains(y) && isOnCurve(y: Array(y.reversed()))
    }

    /// -x² + y² = 1 + d·x²·y² has a solution x if (y² - 1) / (d·y² + 1) is a square, that is if the product of the two is.
    ///
    /// - Parameter y: big endian; must be below the prime.
    static func isOnCurve(y: [UInt8]) -> Bool {
        guard y.lexicographicallyPrecedes(prime), let context = BN_CTX_new() else { return false }
        defer { BN_CTX_free(context) }
        BN_CTX_start(context)
        defer { BN_CTX_end(context) }
        guard let p = BN_CTX_get(context), let square = BN_CTX_get(context), let numerator = BN_CTX_get(context),
            let denominator = BN_CTX_get(context), let product = BN_CTX_get(context),
            BN_bin2bn(prime, 32, p) != nil, BN_bin2bn(y, 32, square) != nil, BN_bin2bn(d, 32, denominator) != nil,
            BN_mod_sqr(square, square, p, context) == 1,
            BN_mod_sub(numerator, square, BN_value_one(), p, context) == 1,
            BN_mod_mul(denominator, denominator, square, p, context) == 1,
            BN_mod_add(denominator, denominator, BN_value_one(), p, context) == 1,
            BN_mod_mul(product, numerator, denominator, p, context) == 1
        else {
            ERR_clear_error()
            return false
        }
        return BN_is_zero(product) == 1 || BN_kronecker(product, p, context) == 1
    }

    private static func hexadecimal(_ text: String) -> [UInt8] {
        Hexadecimal.decode(text) ?? []
    }
}
