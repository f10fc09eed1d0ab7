/// Finds what somebody probably meant to write.
public enum Nearest {
    /// The candidate with the fewest edits (insert, delete, replace, swap of neighbours), if that is few enough for the
    /// length of the word; else one that begins like it.
    static func to(_ word: String, among candidates: [String]) -> String? {
        let written = Array(word.lowercased().utf8.prefix(64))
        let limit = min(3, written.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(written, Array(candidate.lowercased().utf8.prefix(64)))
            if distance <= limit, distance < (best?.distance ?? .max) { best = (candidate, distance) }
        }
        if let best { return best.name }
        // A word that was cut short, like `warn`.
        return written.count < 3 ? nil : candidates.first { $0.hasPrefix(word.lowercased()) }
    }

    /// `; did you mean "x"?`, or nothing.
    public static func suggestion(for word: String, among candidates: [String]) -> String {
        to(word, among: candidates).map { "; did you mean \"\($0)\"?" } ?? ""
    }

    /// The optimal string alignment distance.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in 1...left.count {
            var current = [Int](repeating: row, count: right.count + 1)
            for column in 1...right.count {
                let cost = left[row - 1] == right[column - 1] ? 0 : 1
                var least = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + cost)
                if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                    least = min(least, beforeLast[column - 2] + 1)
                }
                current[column] = least
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
