internal import CPNG
internal import CQREncode
internal import Core

/// A QR code (ISO/IEC 18004) of a short text, with the quiet zone of four modules that readers need.
struct QRCode: Sendable {
    /// Modules along one side, the quiet zone included.
    let width: Int
    /// Rows from the top; true is dark.
    private let modules: [Bool]

    private static let quiet = 4

    /// - Returns: nil when the text is too long for a picture that a telephone reads from a screen.
    init?(_ text: String) {
        guard text.utf8.count <= 1500, !text.utf8.contains(0),
            let code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M)
        else { return nil }
        defer { QRcode_free(code) }
        let inner = Int(code.pointee.width)
        guard inner > 0, let data = code.pointee.data else { return nil }
        width = inner + 2 * Self.quiet
        var modules = [Bool](repeating: false, count: width * width)
        for row in 0..<inner {
            for column in 0..<inner {
                modules[(row + Self.quiet) * width + column + Self.quiet] = data[row * inner + column] & 1 == 1
            }
        }
        self.modules = modules
    }

    private func isDark(_ row: Int, _ column: Int) -> Bool { modules[row * width + column] }

    /// The picture as SVG, for pages.
    var svg: String {
        var path = ""
        for row in 0..<width {
            var column = 0
            while column < width {
                var end = column
                while end < width, isDark(row, end) { end += 1 }
                if end > column { path += "M\(column) \(row)h\(end - column)v1H\(column)z" }
                column = max(end, column + 1)
            }
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(width)" shape-rendering="crispEdges">\
            <rect width="\(width)" height="\(width)" fill="#fff"/><path fill="#000" d="\(path)"/></svg>
            """
    }

    var svgAddress: String { "data:image/svg+xml;base64," + Base64.encode(Array(svg.utf8)) }

    /// The picture as PNG, for API clients; nil when libpng refuses.
    func png(pixelsPerModule scale: Int = 6) -> [UInt8]? {
        let side = width * scale
        var pixels = [UInt8](repeating: 255, count: side * side)
        for row in 0..<side {
            for column in 0..<side where isDark(row / scale, column / scale) { pixels[row * side + column] = 0 }
        }
        var length = 0
        guard gatehouse_png_grey(pixels, UInt32(side), UInt32(side), nil, &length) == 1, length > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: length)
        let room = length
        guard gatehouse_png_grey(pixels, UInt32(side), UInt32(side), &bytes, &length) == 1, length <= room else {
            return nil
        }
        return Array(bytes.prefix(length))
    }

    var pngAddress: String? { png().map { "data:image/png;base64," + Base64.encode($0) } }
}
