/// The files that a configuration names, so that tests and `App` decide what there is.
public protocol FileReading: Sendable {
    /// - Parameter path: absolute, or relative to the working directory.
    /// - Throws: ``FileReadingError`` when it is not there, is no file, cannot be read, or is longer than
    ///   `maximumBytes`.
    func read(_ path: String, maximumBytes: Int) throws(FileReadingError) -> FileContent

    /// The names in a folder, without `.` and `..`, in any order.
    func names(inFolder path: String) throws(FileReadingError) -> [String]
}

/// A file as it was read.
public struct FileContent: Sendable {
    /// All of it.
    public var bytes: [UInt8]
    /// The permission bits of its mode (`0o640`).
    public var permissions: UInt16

    /// Both fields, named as they are.
    public init(bytes: [UInt8], permissions: UInt16) {
        self.bytes = bytes
        self.permissions = permissions
    }
}

/// Why a file could not be read.
public struct FileReadingError: Error, Sendable, Equatable {
    /// What kind of failure it was.
    public enum Code: String, Sendable {
        case missing, notPermitted, notAFile, tooLarge, failed
    }

    /// What kind of failure it was; equality is on this.
    public let code: Code
    /// For people: what is wrong with the file, as the rest of a sentence that names it.
    public let message: String

    /// - Parameter message: the rest of a sentence that begins with the path; nil for the usual words.
    public init(_ code: Code, _ message: String? = nil) {
        self.code = code
        self.message = message ?? Self.usual(code)
    }

    private static func usual(_ code: Code) -> String {
        switch code {
        case .missing: "does not exist"
        case .notPermitted: "may not be read by this user"
        case .notAFile: "is not a regular file"
        case .tooLarge: "is too long"
        case .failed: "cannot be read"
        }
    }

    public static func == (left: FileReadingError, right: FileReadingError) -> Bool { left.code == right.code }
}
