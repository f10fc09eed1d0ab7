/// The pairs of a `Cookie` field, as servers read them (RFC 6265 section 4.2): separated by semicolons, blanks around
/// them ignored, the name up to the first `=`. A pair without `=` is a value without a name.
enum CookiePairs {
    /// - Parameter body: gets the whole pair, its name and its value.
    @inline(__always)
    static func forEach(
        in field: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
    ) {
        var start = 0
        while start <= field.count {
            var end = start
            var equals = -1
            while end < field.count, field[end] != UInt8(ascii: ";") {
                if equals < 0, field[end] == UInt8(ascii: "=") { equals = end }
                end += 1
            }
            let pair = ByteSearch.trimmed(UnsafeRawBufferPointer(rebasing: field[start..<end]))
            if !pair.isEmpty {
                let named = equals >= 0
                let name = UnsafeRawBufferPointer(rebasing: field[start..<(named ? equals : start)])
                let value = UnsafeRawBufferPointer(rebasing: field[(named ? equals + 1 : start)..<end])
                body(pair, ByteSearch.trimmed(name), ByteSearch.trimmed(value))
            }
            start = end + 1
        }
    }

    /// Writes the pairs that are not ours.
    ///
    /// - Parameter start: before the first of them, if there is one.
    /// - Returns: whether there was one.
    static func writeOthers(
        of field: UnsafeRawBufferPointer, _ own: OwnCookies, after start: StaticString, into writer: inout HeadWriter
    ) -> Bool {
        var isFirst = true
        forEach(in: field) { pair, name, _ in
            guard !own.contains(name: name) else { return }
            writer.text(isFirst ? start : "; ")
            isFirst = false
            writer.bytes(pair)
        }
        return !isFirst
    }
}
