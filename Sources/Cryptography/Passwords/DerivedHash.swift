internal import COpenSSL
internal import Core

/// A hash that a key derivation of libcrypto makes: PBKDF2 (RFC 8018) or scrypt (RFC 7914).
struct DerivedHash: Sendable, Equatable {
    enum Function: Sendable, Equatable {
        case pbkdf2(PBKDF2Digest, iterations: UInt32)
        case scrypt(cost: UInt64, blockSize: UInt32, lanes: UInt32)
    }

    enum PBKDF2Digest: String, Sendable {
        case sha1, sha256, sha512

        var implementation: OpaquePointer? {
            switch self {
            case .sha1: EVP_sha1()
            case .sha256: EVP_sha256()
            case .sha512: EVP_sha512()
            }
        }
    }

    static let maximumIterations: UInt32 = 5_000_000
    static let maximumMemory: UInt64 = 256 << 20
    static let maximumWork: UInt64 = 1 << 30

    var function: Function
    var salt: [UInt8]
    var digest: [UInt8]

    /// What one run takes, in bytes.
    var memoryBytes: UInt64 {
        switch function {
        case .pbkdf2: 0
        case .scrypt(let cost, let blockSize, let lanes):
            128 * UInt64(blockSize) * (cost + UInt64(lanes))
        }
    }

    func verify(_ password: UnsafeRawBufferPointer) throws(CryptographyError) -> Bool {
        constantTimeEquals(try Self.derive(function, password, salt: salt, count: digest.count), digest)
    }

    static func derive(
        _ function: Function, _ password: UnsafeRawBufferPointer, salt: [UInt8], count: Int
    ) throws(CryptographyError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        // Null would be another thing than an empty password.
        let start = password.bindMemory(to: CChar.self).baseAddress
        let code = withUnsafePointer(to: CChar(0)) { empty in
            switch function {
            case .pbkdf2(let digest, let iterations):
                PKCS5_PBKDF2_HMAC(
                    start ?? empty, CInt(clamping: password.count), salt, CInt(clamping: salt.count),
                    CInt(clamping: iterations), digest.implementation, CInt(clamping: count), &result)
            case .scrypt(let cost, let blockSize, let lanes):
                EVP_PBE_scrypt(
                    start ?? empty, password.count, salt, salt.count, cost, UInt64(blockSize), UInt64(lanes),
                    maximumMemory * 2, &result, count)
            }
        }
        try check(code, "the key derivation failed")
        return result
    }

    /// - Throws: when a run would take more than is allowed.
    static func requireAffordable(_ function: Function) throws(PasswordHashRefusal) {
        switch function {
        case .pbkdf2(_, let iterations):
            if iterations < 1000 { throw .tooWeak("PBKDF2 hashes of less than 1000 iterations:") }
            if iterations > maximumIterations { throw .tooCostly("PBKDF2", "5,000,000 iterations") }
        case .scrypt(let cost, let blockSize, let lanes):
            guard cost >= 2, cost & (cost - 1) == 0, blockSize > 0, lanes > 0 else { throw .malformed("scrypt") }
            // Each factor is bounded first, so that the product cannot overflow.
            guard cost <= 1 << 24, blockSize <= 1 << 10, lanes <= 1 << 8,
                128 * cost * UInt64(blockSize) <= maximumMemory,
                128 * cost * UInt64(blockSize) * UInt64(lanes) <= maximumWork
            else { throw .tooCostly("scrypt", "256 MiB of memory, 1 GiB over all lanes") }
        }
    }
}
