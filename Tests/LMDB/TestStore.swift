import Glibc
import LMDB

/// A folder that goes with its last reference.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/gatehouse-lmdb-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
    }

    deinit {
        remove(path)
    }

    private func remove(_ folder: String) {
        if let directory = opendir(folder) {
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                let path = "\(folder)/\(name)"
                if unlink(path) != 0 { remove(path) }
            }
            closedir(directory)
        }
        rmdir(folder)
    }
}

struct Note: TableRecord, Equatable {
    static let schema: UInt16 = 3
    var text: String

    init(_ text: String) { self.text = text }
    init(decoding bytes: UnsafeRawBufferPointer) throws { text = String(decoding: bytes, as: UTF8.self) }
    func encode(into bytes: inout [UInt8]) throws { bytes.append(contentsOf: text.utf8) }
}

/// The same table as ``Tables/notes``, as a later version of the program writes it.
struct LaterNote: TableRecord {
    static let schema: UInt16 = 4
    init() {}
    init(decoding bytes: UnsafeRawBufferPointer) throws {}
    func encode(into bytes: inout [UInt8]) throws {}
}

struct Refused: Error, Equatable {}

enum Tables {
    static let notes = Table<String, Note>("notes")
    static let laterNotes = Table<String, LaterNote>("notes")
    static let log = Table<UInt64, Note>("log")
    static let byUser = Table<KeyPair<String, UInt64>, Note>("by_user")
    static let undeclared = Table<String, Note>("undeclared")
    static let all = [notes.description, log.description, byUser.description]
}

func configuration(_ path: String, size: UInt64 = 64 << 20, schema: UInt16 = 7) -> Environment.Configuration {
    Environment.Configuration(path: path, maximumSize: size, schemaVersion: schema, tables: Tables.all)
}

func put(_ text: String, _ key: String, in environment: Environment) throws {
    try environment.writeAndWait { try Tables.notes.put(Note(text), for: key, in: $0) }
}

func get(_ key: String, in environment: Environment) throws -> String? {
    try environment.read { try Tables.notes.get(key, in: $0)?.text }
}

func restore(_ backup: String, _ configuration: Environment.Configuration) throws -> Environment {
    try Environment.restore(fromFolder: backup, configuration) { _ in }.environment
}

/// The code of what `body` throws.
func code(_ body: () throws -> Void) -> LMDBError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? LMDBError)?.code
    }
}
