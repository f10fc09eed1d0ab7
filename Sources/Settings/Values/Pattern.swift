/// A file name with `*` for any run of characters, as `include` uses it.
enum FilePattern {
    /// The name has a `*`.
    static func isPattern(_ name: some StringProtocol) -> Bool { name.contains("*") }

    /// `name` fits; a leading dot must be written.
    static func matches(_ name: String, _ pattern: String) -> Bool {
        if name.hasPrefix("."), !pattern.hasPrefix(".") { return false }
        let name = Array(name.utf8)
        let pattern = Array(pattern.utf8)
        var position = 0
        var step = 0
        var retry: (position: Int, step: Int)?
        while position < name.count {
            if step < pattern.count, pattern[step] == UInt8(ascii: "*") {
                retry = (position, step + 1)
                step += 1
            } else if step < pattern.count, pattern[step] == name[position] {
                position += 1
                step += 1
            } else if let last = retry {
                retry = (last.position + 1, last.step)
                position = last.position + 1
                step = last.step
            } else {
                return false
            }
        }
        return pattern[step...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
