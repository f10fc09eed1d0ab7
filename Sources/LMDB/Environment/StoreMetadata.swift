/// The environment's own row in table `meta`.
///
/// A revision is `revisionBase` plus the number of its transaction. A compacted copy counts its transactions from one
/// again, so it gets a greater base: otherwise an old row and a rewritten one could have the same revision, and a cache
/// would go on with the old one.
struct StoreMetadata: TableRecord, Equatable {
    static let schema: UInt16 = 1
    static let table = Table<String, StoreMetadata>("meta")
    static let key = "environment"

    var schemaVersion: UInt16
    var revisionBase: UInt64

    init(schemaVersion: UInt16, revisionBase: UInt64) {
        self.schemaVersion = schemaVersion
        self.revisionBase = revisionBase
    }

    init(decoding bytes: UnsafeRawBufferPointer) throws {
        guard bytes.count == 10 else { throw LMDBError(.badRecord, "the row `environment` of table meta is damaged") }
        schemaVersion = UInt16(littleEndian: bytes.loadUnaligned(as: UInt16.self))
        revisionBase = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
    }

    func encode(into bytes: inout [UInt8]) throws {
        withUnsafeBytes(of: schemaVersion.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: revisionBase.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Behind every revision that the store can hold: no life has 2^40 transactions.
    mutating func beginNewLife() {
        revisionBase = (revisionBase >> 40 &+ 1) << 40
    }

    /// This program writes `supported` and reads the one before.
    func refuseUnknown(supported: UInt16) throws(LMDBError) {
        if schemaVersion > supported {
            throw LMDBError(
                .schemaTooNew,
                "the store has schema \(schemaVersion), this version knows \(supported): use the version that wrote it")
        }
        if schemaVersion &+ 1 < supported {
            throw LMDBError(
                .schemaTooOld,
                "the store has schema \(schemaVersion), this version reads \(supported &- 1) and \(supported): "
                    + "upgrade one version after the other")
        }
    }
}
