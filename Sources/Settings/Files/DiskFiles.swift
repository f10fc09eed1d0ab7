import FoundationEssentials

/// The files of this machine.
public struct DiskFiles: FileReading {
    /// Needs nothing.
    public init() {}

    public func read(_ path: String, maximumBytes: Int) throws(FileReadingError) -> FileContent {
        let attributes: [FileAttributeKey: Any]
        let bytes: [UInt8]
        do {
            // The attributes of what a link leads to, since that is what is read.
            let target = URL(filePath: path).resolvingSymlinksInPath().path
            attributes = try FileManager.default.attributesOfItem(atPath: target)
            guard attributes[.type] as? FileAttributeType == .typeRegular else { throw FileReadingError(.notAFile) }
            guard let size = Self.number(attributes[.size]) else { throw FileReadingError(.failed) }
            guard size <= maximumBytes else {
                throw FileReadingError(.tooLarge, "is longer than \(maximumBytes) bytes")
            }
            bytes = Array(try Data(contentsOf: URL(filePath: target)))
        } catch {
            throw Self.translate(error)
        }
        guard bytes.count <= maximumBytes else {
            throw FileReadingError(.tooLarge, "is longer than \(maximumBytes) bytes")
        }
        // Unknown permissions count as open to everybody.
        let permissions = Self.number(attributes[.posixPermissions]) ?? 0o777
        return FileContent(bytes: bytes, permissions: UInt16(truncatingIfNeeded: permissions) & 0o7777)
    }

    public func names(inFolder path: String) throws(FileReadingError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path.isEmpty ? "." : path)
        } catch {
            throw Self.translate(error)
        }
    }

    /// An attribute that is a number; the cast holds for FoundationEssentials' integers and for Foundation's boxed ones.
    private static func number(_ attribute: Any?) -> Int? {
        (attribute as? UInt).map { Int(clamping: $0) }
    }

    private static func translate(_ error: any Error) -> FileReadingError {
        if let error = error as? FileReadingError { return error }
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile?, .fileReadNoSuchFile?: return FileReadingError(.missing)
        case .fileReadNoPermission?: return FileReadingError(.notPermitted)
        default: return FileReadingError(.failed)
        }
    }
}
