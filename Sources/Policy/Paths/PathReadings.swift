/// All canonical readings of a path that has escapes, parameters or empty segments (RFC 3986 section 3.3). Somebody
/// behind us may cut parameters off or keep them, take a kept `%2f` or `%5c` for a separator or for data, and fold
/// empty segments or not: what they can make of it is judged, each in turn.
///
/// A reading is written as ``PathGlob`` wants it: `/` before each segment, one trailing slash taken off, byte 0 for an
/// encoded slash that is data.
struct PathReadings {
    let traits: PathTraits
    /// Not empty and without duplicates; the first is the primary one: parameters off, encoded separators data, empty
    /// segments kept.
    let paths: [[UInt8]]

    private struct Mode {
        var keepsParameters: Bool
        var splitsAtSlash: Bool
        var splitsAtBackslash: Bool
        var foldsEmpty: Bool
    }

    /// - Returns: nil when the path must be refused: a bad or doubled escape, a control byte, a segment `.` or `..` in
    ///   any reading.
    init?(_ raw: Span<UInt8>) {
        guard let (decoded, found) = Self.decode(raw) else { return nil }
        var traits = found
        var paths: [[UInt8]] = []
        for keepsParameters in [false, true] where !keepsParameters || traits.contains(.parameters) {
            for slash in [false, true] where !slash || traits.contains(.encodedSlash) {
                for backslash in [false, true] where !backslash || traits.contains(.encodedBackslash) {
                    for foldsEmpty in [false, true] {
                        let mode = Mode(
                            keepsParameters: keepsParameters, splitsAtSlash: slash, splitsAtBackslash: backslash,
                            foldsEmpty: foldsEmpty)
                        guard let reading = Self.read(decoded, mode) else { return nil }
                        if Self.hasEmptySegment(reading) { traits.insert(.emptySegment) }
                        if !paths.contains(reading) { paths.append(reading) }
                    }
                }
            }
        }
        self.traits = traits
        self.paths = paths
    }

    /// Decodes escapes once. Raw slashes stay `/`, encoded ones become 0, encoded backslashes `\`; neither 0 nor `\`
    /// can come from anything else. A decoded `;` begins parameters as a raw one does.
    private static func decode(_ raw: Span<UInt8>) -> (bytes: [UInt8], traits: PathTraits)? {
        var traits: PathTraits = []
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.count)
        var index = 0
        while index < raw.count {
            var byte = raw[index]
            switch byte {
            case UInt8(ascii: "%"):
                guard let value = escape(raw, at: index), value >= 0x20, value != 0x7f else { return nil }
                traits.insert(.escapes)
                byte = value
                index += 2
                if value == UInt8(ascii: "/") {
                    traits.insert(.encodedSlash)
                    byte = 0
                }
                if value == UInt8(ascii: "\\") { traits.insert(.encodedBackslash) }
                if value == UInt8(ascii: ";") { traits.insert(.parameters) }
            case UInt8(ascii: ";"): traits.insert(.parameters)
            case 0x00...0x20, 0x7f...0xff, UInt8(ascii: "\\"), UInt8(ascii: "#"), UInt8(ascii: "?"): return nil
            case _: break
            }
            bytes.append(byte)
            index += 1
        }
        return hidesEscape(bytes) ? nil : (bytes, traits)
    }

    private static func escape(_ raw: Span<UInt8>, at index: Int) -> UInt8? {
        guard index + 2 < raw.count, let high = PathScan.hexDigit(raw[index + 1]),
            let low = PathScan.hexDigit(raw[index + 2])
        else { return nil }
        return high << 4 | low
    }

    /// After a `%`, which only an escape leaves behind, stands what makes a `.`, `/`, `\` or NUL for whoever decodes a
    /// second time, however its digits were written.
    private static func hidesEscape(_ decoded: [UInt8]) -> Bool {
        for index in decoded.indices where decoded[index] == UInt8(ascii: "%") && index + 2 < decoded.count {
            guard let high = PathScan.hexDigit(decoded[index + 1]), let low = PathScan.hexDigit(decoded[index + 2])
            else { continue }
            switch high << 4 | low {
            case UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "\\"), 0: return true
            case _: continue
            }
        }
        return false
    }

    private static func read(_ decoded: [UInt8], _ mode: Mode) -> [UInt8]? {
        var reading: [UInt8] = []
        reading.reserveCapacity(decoded.count)
        var start = 1
        while start <= decoded.count {
            var end = start
            var name = -1
            while end < decoded.count, !separates(decoded[end], mode) {
                if name < 0, decoded[end] == UInt8(ascii: ";") { name = end }
                end += 1
            }
            let segment = decoded[start..<(name < 0 ? end : name)]
            if segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8) { return nil }
            let kept = mode.keepsParameters ? decoded[start..<end] : segment
            if !kept.isEmpty || !mode.foldsEmpty {
                reading.append(UInt8(ascii: "/"))
                reading.append(contentsOf: kept)
            }
            start = end + 1
        }
        if reading.last == UInt8(ascii: "/") { reading.removeLast() }
        return reading
    }

    /// Also what is empty only once its parameters are off, or once an encoded separator counts: `/a/;x/b`, `/a%2f/b`.
    private static func hasEmptySegment(_ reading: [UInt8]) -> Bool {
        let slash = UInt8(ascii: "/")
        return reading.last == slash || zip(reading, reading.dropFirst()).contains { $0 == slash && $1 == slash }
    }

    private static func separates(_ byte: UInt8, _ mode: Mode) -> Bool {
        switch byte {
        case UInt8(ascii: "/"): true
        case 0: mode.splitsAtSlash
        case UInt8(ascii: "\\"): mode.splitsAtBackslash
        case _: false
        }
    }
}

/// One reading as a route compares it: `folded` is without case where that needs more than ASCII, else the same bytes.
struct CanonicalPath: ~Escapable {
    let exact: Span<UInt8>
    let folded: Span<UInt8>

    @_lifetime(copy exact)
    init(_ exact: Span<UInt8>) {
        self.exact = exact
        self.folded = exact
    }

    @_lifetime(copy exact, copy folded)
    init(_ exact: Span<UInt8>, folded: Span<UInt8>) {
        self.exact = exact
        self.folded = folded
    }

    /// Bytes for a second span, or nil when the first will do.
    static func folding(_ path: [UInt8]) -> [UInt8] {
        path.contains { $0 >= 0x80 } ? Array(CaseFolding.fold(String(decoding: path, as: UTF8.self)).utf8) : path
    }
}
