/// A mailbox with the name that is shown for it: `Gatehouse <auth@example.com>`.
public struct NamedAddress: Sendable, Equatable {
    /// Shown; may be empty.
    public var name: String
    /// The address itself.
    public var address: EmailAddress

    /// - Parameter name: shown; may be empty.
    public init(name: String = "", address: EmailAddress) {
        self.name = name
        self.address = address
    }

    /// Reads `address` or `Name <address>`, the name with or without quotes.
    ///
    /// - Returns: nil for anything else, and for a name with control characters.
    public init?(_ text: String) {
        guard let open = text.firstIndex(of: "<") else {
            guard let address = EmailAddress(text) else { return nil }
            self.init(address: address)
            return
        }
        guard text.hasSuffix(">"),
            let address = EmailAddress(String(text[text.index(after: open)...].dropLast()))
        else { return nil }
        var name = text[..<open]
        while name.last == " " { name.removeLast() }
        if name.count >= 2, name.first == "\"", name.last == "\"" { name = name.dropFirst().dropLast() }
        guard !name.contains(where: { "<>\"\\".contains($0) }),
            !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { return nil }
        self.init(name: String(name), address: address)
    }
}
