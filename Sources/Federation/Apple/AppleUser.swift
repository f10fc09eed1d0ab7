internal import JOSE

/// `user` of Apple's answer: how the person wants to be called. It comes once, with the first sign-in, in the browser's
/// hands: nobody vouches for it, so that nothing but the display name is read from it.
public enum AppleUser {
    /// Longer ones are as if they were not there.
    static let maximumBytes = 1024

    /// The display name in it; nil where none can be kept.
    public static func name(_ text: String?) -> String? {
        guard let text, text.utf8.count <= maximumBytes,
            let document = try? JSONReader.parse(
                Array(text.utf8), limits: JSONLimits(bytes: maximumBytes, depth: 4)),
            let name = document["name"]
        else { return nil }
        let parts = [name["firstName"]?.string, name["lastName"]?.string]
        return PersonDocument.usableName(parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " "))
    }
}
