internal import Core
internal import LMDB

/// Which key has sealed a row, read off its stored bytes: nothing is decoded, so that a start looks at a hundred thousand
/// rows in a moment.
enum SealID: Equatable {
    case key([UInt8])
    /// There is nothing sealed in the row.
    case none
    /// There is something that is no seal.
    case unreadable

    /// Rows as they lie in the store; never written.
    struct Row: TableRecord {
        static let schema = Store.schemaVersion

        init(decoding bytes: UnsafeRawBufferPointer) {}

        func encode(into bytes: inout [UInt8]) throws {
            throw AccountsError(.store, "A row that was not decoded cannot be written.")
        }
    }
}

extension SealedField {
    /// The table's rows, undecoded.
    var rows: Table<String, SealID.Row> { Table(place.table) }

    /// The member of the row's JSON that holds the seal, up to its first byte. A quotation mark within a text is escaped,
    /// so that no text can be taken for it.
    private var member: [UInt8] {
        switch self {
        case .signingKey: Array("\"sealedKey\":\"".utf8)
        case .totpSecret, .providerTokens: Array("\"sealed\":\"".utf8)
        case .mailLink: Array("\"sealedLink\":[".utf8)
        }
    }

    func sealID(of row: UnsafeRawBufferPointer) -> SealID {
        guard let begin = row.end(of: member) else { return self == .mailLink ? .none : .unreadable }
        let rest = row[begin...]
        let id: [UInt8]
        if self == .mailLink {
            // Bytes as JSON has them: numbers.
            let numbers = rest.prefix(16).split(separator: UInt8(ascii: ","), maxSplits: 4).prefix(4)
            id = numbers.compactMap { UInt8(String(decoding: $0, as: UTF8.self)) }
        } else {
            let text = String(decoding: rest.prefix(8), as: UTF8.self)
            id = Array((Base64.decode(text) ?? []).prefix(4))
        }
        return id.count == 4 ? .key(id) : .unreadable
    }
}

extension UnsafeRawBufferPointer {
    /// Where `needle` ends, the first time that it is there.
    func end(of needle: [UInt8]) -> Int? {
        guard let first = needle.first, count >= needle.count else { return nil }
        for begin in 0...(count - needle.count)
        where self[begin] == first && self[begin..<(begin + needle.count)].elementsEqual(needle) {
            return begin + needle.count
        }
        return nil
    }
}
