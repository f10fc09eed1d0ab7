/// Which program this is.
public enum Build {
    /// The version of the program.
    public static let version = "0.1.0"
    /// The store's schema that this program writes; it reads this one only, there being none before it.
    public static let schema: UInt16 = 1

    /// As `gatehouse --version` shows it.
    public static var description: String { "gatehouse \(version) (schema \(schema))" }
}
