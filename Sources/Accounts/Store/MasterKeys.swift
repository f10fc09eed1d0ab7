public import Core
internal import Cryptography

/// The operator's keys: everything in the store that must be read back is sealed under the current one, and whatever a
/// previous one sealed can still be opened.
public struct MasterKeys: Sendable {
    /// Opens and seals with one key.
    struct Key: Sendable {
        /// Says which key sealed something, and nothing about the key.
        let id: [UInt8]
        let sealing: SecretBytes
        let audit: AuditKey

        init(_ master: SecretBytes) throws(AccountsError) {
            guard master.count == MasterKeys.byteCount else {
                throw AccountsError(
                    .invalid,
                    "A master key has \(MasterKeys.byteCount) bytes, this one has \(master.count): make one with "
                        + "`gatehouse keygen`.")
            }
            do {
                let identifying = try HKDF256.derive(key: master, info: "gatehouse key id", length: 32)
                id = identifying.withUnsafeBytes { Array($0.prefix(4)) }
                sealing = try HKDF256.derive(key: master, info: "gatehouse sealing", length: 32)
                audit = try AuditKey(HKDF256.derive(key: master, info: "gatehouse audit head", length: 32))
            } catch {
                throw AccountsError(.invalid, "The master key cannot be used.", cause: error)
            }
        }
    }

    /// The length of a master key.
    public static let byteCount = 32

    let current: Key
    let previous: [Key]

    /// - Throws: `invalid` when a key does not have 32 bytes.
    public init(current: SecretBytes, previous: [SecretBytes] = []) throws(AccountsError) {
        self.current = try Key(current)
        var keys: [Key] = []
        for key in previous { keys.append(try Key(key)) }
        self.previous = keys
    }

    /// Reads the file that `gatehouse keygen` writes: base 64 of 32 bytes, white space around it ignored.
    public static func parse(_ text: [UInt8]) throws(AccountsError) -> SecretBytes {
        let blanks = Array(" \t\r\n".utf8)
        let trimmed = text.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed()
        guard let bytes = Base64.decode(String(decoding: Array(trimmed), as: UTF8.self)), bytes.count == byteCount
        else {
            throw AccountsError(
                .invalid, "The master key is not 32 bytes in base 64: make one with `gatehouse keygen`.")
        }
        return SecretBytes(copying: bytes)
    }

    /// What ``parse(_:)`` reads, with a new line.
    public static func text(of key: SecretBytes) -> String {
        key.withUnsafeBytes { Base64.encode(Array($0)) } + "\n"
    }

    /// The same keys with another current one; the one that was current is a previous one then.
    public func adding(_ new: SecretBytes) throws(AccountsError) -> MasterKeys {
        let key = try Key(new)
        guard key.id != current.id else { return self }
        return MasterKeys(current: key, previous: ([current] + previous).filter { $0.id != key.id })
    }

    /// The same keys, which open what another one has sealed as well.
    func opening(with other: Key) -> MasterKeys {
        if knows(other.id) { return self }
        return MasterKeys(current: current, previous: previous + [other])
    }

    /// Whether one of the keys has this id.
    func knows(_ id: [UInt8]) -> Bool { current.id == id || previous.contains { $0.id == id } }

    private init(current: Key, previous: [Key]) {
        self.current = current
        self.previous = previous
    }

    /// Whether this is the current key.
    public func isCurrent(_ key: SecretBytes) throws(AccountsError) -> Bool { try Key(key).id == current.id }

    /// Says which key is current, and nothing about it.
    public var currentID: String { Hexadecimal.encode(current.id) }

    /// A key on its way to the running server: sealed under the newest previous key, which that one has when it has not
    /// got this one; under the current one where there is no other.
    public func handover(of key: SecretBytes) throws(AccountsError) -> String {
        let known = previous.first ?? current
        do {
            let box = try AES256GCM.seal(
                key.withUnsafeBytes { Array($0) }, key: known.sealing, associatedData: Self.handoverPlace)
            return Base64.encode(known.id + box)
        } catch {
            throw AccountsError(.store, "The new master key could not be sealed.", cause: error)
        }
    }

    /// What ``handover(of:)`` made, whoever knows none of our keys having made nothing of the kind.
    ///
    /// - Throws: `wrongMasterKey`.
    func accept(handover text: String) throws(AccountsError) -> SecretBytes {
        guard let sealed = Base64.decode(text) else {
            throw AccountsError(.invalid, "The new master key cannot be read.")
        }
        let id = Array(sealed.prefix(4))
        for candidate in [current] + previous where candidate.id == id {
            guard
                let key = try? AES256GCM.open(
                    Array(sealed.dropFirst(4)), key: candidate.sealing, associatedData: Self.handoverPlace)
            else { continue }
            return key
        }
        throw AccountsError(
            .wrongMasterKey, "The running server has another master key than the configuration: restart it first.")
    }

    private static let handoverPlace = Array("gatehouse master key handover".utf8)

    /// Whether something was sealed under the current key.
    func isCurrent(_ sealed: [UInt8]) -> Bool { Array(sealed.prefix(4)) == current.id }

    /// AES-256-GCM under the current key, bound to the place where it is stored.
    ///
    /// - Parameter key: of the row.
    func seal(_ plain: [UInt8], in field: SealedField, key: String) throws(AccountsError) -> [UInt8] {
        do {
            let box = try AES256GCM.seal(
                plain, key: current.sealing, associatedData: Self.place(field, key: key))
            return current.id + box
        } catch {
            throw AccountsError(.store, "A secret could not be sealed.", cause: error)
        }
    }

    /// Opens what ``seal(_:in:key:)`` made at the same place under any of the keys.
    ///
    /// - Throws: `wrongMasterKey` when none of the keys fits.
    func open(_ sealed: [UInt8], in field: SealedField, key: String) throws(AccountsError) -> SecretBytes {
        let place = Self.place(field, key: key)
        let id = Array(sealed.prefix(4))
        for candidate in [current] + previous where candidate.id == id {
            do {
                return try AES256GCM.open(
                    Array(sealed.dropFirst(4)), key: candidate.sealing, associatedData: place)
            } catch {
                throw AccountsError(.damaged, "A sealed secret (\(field.rawValue)) was changed.", cause: error)
            }
        }
        throw AccountsError(
            .wrongMasterKey,
            "The store was sealed under another master key: configure that one as master_key or among "
                + "previous_master_keys.")
    }

    // Each part behind its length, so that no two places share their bytes.
    private static func place(_ field: SealedField, key: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in [field.place.table, key, field.place.field] {
            bytes.append(contentsOf: withUnsafeBytes(of: UInt32(part.utf8.count).bigEndian) { Array($0) })
            bytes.append(contentsOf: part.utf8)
        }
        return bytes
    }
}
