/// Finds the addresses of a host name.
///
/// Threads: called on threads that may wait, several at a time; it may block for as long as a name server takes.
public protocol NameResolving: Sendable {
    /// All addresses of `host`, the preferred ones first; never empty.
    ///
    /// - Throws: ``NameResolutionError``.
    func addresses(of host: String) throws(NameResolutionError) -> [IPAddress]
}

/// Why a name has no addresses now.
public struct NameResolutionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// In the resolver's words.
    public let message: String

    /// - Parameter message: for people.
    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
