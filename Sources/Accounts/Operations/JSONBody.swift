internal import JOSE

/// What a program sends: one JSON object as RFC 8259 has it, in UTF-8, without a name that stands in it twice. What two
/// readers would read differently is none.
public struct JSONBody: Sendable {
    private static let limits = JSONLimits(bytes: 65_536, depth: 8)

    private let value: JSONValue
    /// The names of its members, in their order.
    public let names: [String]

    /// - Returns: nil for what is no such object.
    public init?(_ bytes: [UInt8]) {
        guard let value = try? JSONReader.parse(bytes, limits: Self.limits), let members = value.members else {
            return nil
        }
        self.value = value
        names = members.map(\.name)
    }

    /// The proof by a passkey that stands under a name; nil for what is none.
    public func passkey(_ name: String) -> PasskeyProof? { value[name].flatMap { PasskeyProof($0) } }

    /// There is something under this name.
    public func has(_ name: String) -> Bool { value[name].map { !$0.isNull } ?? false }
}
