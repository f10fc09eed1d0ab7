internal import Synchronization

/// A table's name, to be declared when the environment is opened.
public struct TableDescription: Hashable, Sendable {
    /// The name of the table in the store.
    public let name: String
    /// Where every environment of this process keeps the table's handle.
    let number: Int

    private static let numbers = Mutex<[String: Int]>([:])

    /// Two descriptions with one name are one table.
    public init(_ name: String) {
        self.name = name
        number = Self.numbers.withLock { numbers in
            if let number = numbers[name] { return number }
            numbers[name] = numbers.count
            return numbers.count - 1
        }
    }
}
