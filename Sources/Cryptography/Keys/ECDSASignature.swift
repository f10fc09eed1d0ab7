/// ECDSA signatures in the two forms that are in use: `r || s` (JOSE) and the DER SEQUENCE of two INTEGERs (libcrypto).
enum ECDSASignature {
    /// Turns `r || s` into DER.
    ///
    /// - Parameter width: the length of each half.
    /// - Returns: nil when the length is not exactly twice `width` or a half is zero. (libcrypto refuses a half that is
    ///   not below the group's order.)
    static func der(fromRaw raw: Span<UInt8>, width: Int) -> [UInt8]? {
        guard width > 0, raw.count == 2 * width else { return nil }
        var body: [UInt8] = []
        body.reserveCapacity(2 * width + 6)
        guard appendInteger(raw.extracting(0..<width), to: &body),
            appendInteger(raw.extracting(width..<(2 * width)), to: &body)
        else { return nil }
        var der: [UInt8] = []
        der.reserveCapacity(body.count + 3)
        der.append(0x30)
        if body.count > 127 { der.append(0x81) }
        der.append(UInt8(truncatingIfNeeded: body.count))
        der.append(contentsOf: body)
        return der
    }

    private static func appendInteger(_ bytes: Span<UInt8>, to der: inout [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count, bytes[start] == 0 { start += 1 }
        guard start < bytes.count else { return false }
        let padded = bytes[start] & 0x80 != 0
        der.append(0x02)
        der.append(UInt8(truncatingIfNeeded: bytes.count - start + (padded ? 1 : 0)))
        if padded { der.append(0) }
        for index in start..<bytes.count { der.append(bytes[index]) }
        return true
    }

    /// Turns DER as libcrypto writes it into `r || s`; nil when it is anything else.
    static func raw(fromDER der: Span<UInt8>, width: Int) -> [UInt8]? {
        var position = 0
        func next() -> UInt8? {
            guard position < der.count else { return nil }
            defer { position += 1 }
            return der[position]
        }
        guard next() == 0x30, var total = next() else { return nil }
        if total == 0x81 {
            guard let long = next() else { return nil }
            total = long
        }
        guard der.count - position == Int(total) else { return nil }
        var raw = [UInt8](repeating: 0, count: 2 * width)
        for half in 0..<2 {
            guard next() == 0x02, let length = next(), Int(length) <= der.count - position else { return nil }
            var start = position
            let end = position + Int(length)
            while start < end, der[start] == 0 { start += 1 }
            guard end - start <= width else { return nil }
            for index in start..<end { raw[(half + 1) * width - (end - index)] = der[index] }
            position = end
        }
        return position == der.count ? raw : nil
    }
}
