internal import CArgon2
internal import Core

/// What an Argon2 run costs (RFC 9106 section 3.1).
public struct Argon2Parameters: Sendable, Hashable {
    /// `m`: memory in KiB.
    public var memoryKiB: UInt32
    /// `t`: how often the memory is filled.
    public var passes: UInt32
    /// `p`: how many threads may fill it.
    public var lanes: UInt32

    /// All fields, named as they are.
    public init(memoryKiB: UInt32, passes: UInt32, lanes: UInt32) {
        self.memoryKiB = memoryKiB
        self.passes = passes
        self.lanes = lanes
    }

    /// 19 MiB, two passes, one thread: what OWASP asks for at least.
    public static let standard = Argon2Parameters(memoryKiB: 19_456, passes: 2, lanes: 1)
}

/// One Argon2 hash taken apart.
struct Argon2Hash: Sendable, Equatable {
    enum Kind: String {
        case argon2id, argon2i

        var type: argon2_type {
            switch self {
            case .argon2id: Argon2_id
            case .argon2i: Argon2_i
            }
        }
    }

    /// Old libraries left `v=` out and meant this.
    static let firstVersion: UInt32 = 0x10
    static let currentVersion: UInt32 = 0x13
    static let saltBytes = 16
    static let digestBytes = 32

    // What an imported hash may ask for: argon2-cffi's old default is 100 MiB twice on eight lanes.
    static let maximumMemoryKiB: UInt32 = 256 << 10
    static let maximumWorkKiB: UInt64 = 2 << 20
    static let maximumLanes: UInt32 = 16

    var kind: Kind
    var version: UInt32
    var parameters: Argon2Parameters
    var salt: [UInt8]
    var digest: [UInt8]

    /// Makes a hash of `password` with a new salt.
    init(password: UnsafeRawBufferPointer, parameters: Argon2Parameters, salt: [UInt8]) throws(CryptographyError) {
        kind = .argon2id
        version = Self.currentVersion
        self.parameters = parameters
        self.salt = salt
        digest = []
        digest = try compute(password, count: Self.digestBytes)
    }

    /// Takes `$argon2id$v=19$m=…,t=…,p=…$salt$digest` apart.
    init(parsing text: String) throws(PasswordHashRefusal) {
        var parts = text.split(separator: "$", omittingEmptySubsequences: false).dropFirst()
        guard let name = parts.popFirst(), let kind = Kind(rawValue: String(name)) else {
            throw PasswordHashRefusal(.unknown, "Of Argon2 only argon2id and argon2i are known.")
        }
        self.kind = kind
        version = Self.firstVersion
        if let written = parts.first, written.hasPrefix("v=") {
            parts.removeFirst()
            guard let number = UInt32(decimal: written.dropFirst(2)), [0x10, 0x13].contains(number) else {
                throw .malformed("Argon2")
            }
            version = number
        }
        guard parts.count == 3, let cost = PHCText.numbers(parts[parts.startIndex], named: ["m", "t", "p"]),
            let salt = PHCText.bytes(parts[parts.startIndex + 1]),
            let digest = PHCText.bytes(parts[parts.startIndex + 2]),
            (8...64).contains(salt.count), (16...64).contains(digest.count)
        else { throw .malformed("Argon2") }
        parameters = Argon2Parameters(memoryKiB: cost[0], passes: cost[1], lanes: cost[2])
        self.salt = salt
        self.digest = digest
        guard parameters.passes >= 1, (1...Self.maximumLanes).contains(parameters.lanes),
            parameters.memoryKiB >= 8 * parameters.lanes, parameters.memoryKiB <= Self.maximumMemoryKiB,
            UInt64(parameters.memoryKiB) * UInt64(parameters.passes) <= Self.maximumWorkKiB
        else { throw .tooCostly("Argon2", "256 MiB, 2 GiB over all passes, 16 lanes") }
    }

    var text: String {
        "$\(kind.rawValue)$v=\(version)$m=\(parameters.memoryKiB),t=\(parameters.passes),p=\(parameters.lanes)"
            + "$\(PHCText.text(salt))$\(PHCText.text(digest))"
    }

    func verify(_ password: UnsafeRawBufferPointer) throws(CryptographyError) -> Bool {
        constantTimeEquals(try compute(password, count: digest.count), digest)
    }

    private func compute(_ password: UnsafeRawBufferPointer, count: Int) throws(CryptographyError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        let code = argon2_hash(
            parameters.passes, parameters.memoryKiB, parameters.lanes, password.baseAddress, password.count, salt,
            salt.count, &result, count, nil, 0, kind.type, version)
        guard code == ARGON2_OK.rawValue else {
            throw CryptographyError(.library, "Argon2 failed", cause: String(cString: argon2_error_message(code)))
        }
        return result
    }
}
