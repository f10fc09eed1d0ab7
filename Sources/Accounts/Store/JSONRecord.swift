internal import FoundationEssentials
internal import LMDB

/// A stored value that is written as JSON behind the table's 16-byte header.
protocol JSONRecord: TableRecord, Codable {}

extension JSONRecord {
    static var schema: UInt16 { Store.schemaVersion }

    init(decoding bytes: UnsafeRawBufferPointer) throws {
        self = try JSON.decode(Self.self, from: bytes)
    }

    func encode(into bytes: inout [UInt8]) throws {
        bytes.append(contentsOf: try JSON.encode(self))
    }
}

/// JSON as it is stored and printed: members sorted, slashes bare, times in RFC 3339.
enum JSON {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: UnsafeRawBufferPointer) throws -> Value {
        guard let base = bytes.baseAddress else {
            throw AccountsError(.damaged, "A stored record is empty; run `gatehouse store check`.")
        }
        return try JSONDecoder().decode(type, from: Data(bytes: base, count: bytes.count))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }
}

extension Encodable {
    /// The value as one line of JSON: members sorted, times in RFC 3339, no secret that the type does not name.
    public var jsonLine: String {
        // Only numbers that are not finite could fail, and no type here holds one.
        (try? JSON.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

/// A row whose key says everything.
struct EmptyRecord: TableRecord {
    static var schema: UInt16 { Store.schemaVersion }

    init() {}
    init(decoding bytes: UnsafeRawBufferPointer) throws {}
    func encode(into bytes: inout [UInt8]) throws {}
}

/// A row that holds the key of another row.
struct ReferenceRecord: TableRecord {
    static var schema: UInt16 { Store.schemaVersion }

    var key: [UInt8]

    init(_ key: [UInt8]) {
        self.key = key
    }

    init(_ key: String) {
        self.key = Array(key.utf8)
    }

    init(decoding bytes: UnsafeRawBufferPointer) throws {
        key = Array(bytes)
    }

    func encode(into bytes: inout [UInt8]) throws {
        bytes.append(contentsOf: key)
    }

    var text: String { String(decoding: key, as: UTF8.self) }
}
