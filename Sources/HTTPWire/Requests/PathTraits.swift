/// What a path holds that makes more than one reading of it possible.
public struct PathTraits: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    /// A set of its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A percent escape.
    public static let escapes = PathTraits(rawValue: 1)
    /// A `;`, written so or as `%3b`.
    public static let parameters = PathTraits(rawValue: 2)
    /// `%2f`.
    public static let encodedSlash = PathTraits(rawValue: 4)
    /// `%5c`.
    public static let encodedBackslash = PathTraits(rawValue: 8)
    /// A segment before the last that is empty, or is so once its parameters are off, or once `%2f` and `%5c` are read
    /// as slashes: `//`, `/;x/`, `/%2f`.
    public static let emptySegment = PathTraits(rawValue: 16)

    /// The three that a route's `keep_in_path` may lift.
    public static let liftable: PathTraits = [.encodedSlash, .encodedBackslash, .emptySegment]
}
