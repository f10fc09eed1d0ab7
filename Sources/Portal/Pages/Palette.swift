/// The colours that depend on `branding.colour`. Whatever that is, text and buttons stay readable: the colour is made
/// darker on white and lighter on black until the contrast is 4.5 to 1 (WCAG 2.2, 1.4.3).
struct Palette: Equatable {
    /// A colour of sRGB.
    struct Colour: Equatable {
        var red: Double
        var green: Double
        var blue: Double

        init(_ red: Double, _ green: Double, _ blue: Double) {
            self.red = red
            self.green = green
            self.blue = blue
        }

        /// `#rrggbb`.
        init?(_ text: String) {
            guard text.hasPrefix("#"), text.utf8.count == 7, let number = Int(text.dropFirst(), radix: 16) else {
                return nil
            }
            self.init(Double(number >> 16 & 255), Double(number >> 8 & 255), Double(number & 255))
        }

        var text: String {
            let digits = Array("0123456789abcdef")
            return [red, green, blue].reduce(into: "#") { text, part in
                let byte = Int(min(255, max(0, part.rounded())))
                text.append(digits[byte >> 4])
                text.append(digits[byte & 15])
            }
        }

        /// WCAG's relative luminance. The curve is read from a table of its powers by Newton's method, since there is
        /// no mathematical library here: `x^2.4` as the fifth root of `x^12`.
        var luminance: Double {
            func linear(_ part: Double) -> Double {
                let value = part / 255
                guard value > 0.04045 else { return value / 12.92 }
                let base = (value + 0.055) / 1.055
                let square = base * base
                let target = square * square * square * square * square * square
                var root = base * base
                for _ in 0..<40 {
                    let fourth = root * root * root * root
                    root -= (fourth * root - target) / (5 * fourth)
                }
                return root
            }
            return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
        }

        func contrast(with other: Colour) -> Double {
            let (one, two) = (luminance, other.luminance)
            return (max(one, two) + 0.05) / (min(one, two) + 0.05)
        }

        func mixed(with other: Colour, _ share: Double) -> Colour {
            Colour(
                red + (other.red - red) * share, green + (other.green - green) * share,
                blue + (other.blue - blue) * share)
        }
    }

    /// Buttons and links, and what is written on buttons.
    struct Accent: Equatable {
        var accent: String
        var onAccent: String
    }

    static let white = Colour(255, 255, 255)
    static let black = Colour(0, 0, 0)
    /// The grounds that links stand on: page and panel of each scheme, as the stylesheet has them.
    static let lightGrounds = [Colour(255, 255, 255), Colour(243, 245, 248)]
    static let darkGrounds = [Colour(18, 21, 25), Colour(28, 33, 38)]
    static let leastContrast = 4.5

    let light: Accent
    let dark: Accent

    /// - Parameter accent: `#rrggbb`; nil, or anything else: our own.
    init(accent: String?) {
        guard let accent, let colour = Colour(accent) else {
            light = Accent(accent: "#0b57d0", onAccent: "#ffffff")
            dark = Accent(accent: "#a8c7fa", onAccent: "#0b1b33")
            return
        }
        light = Self.readable(colour, on: Self.lightGrounds, towards: Self.black)
        dark = Self.readable(colour, on: Self.darkGrounds, towards: Self.white)
    }

    private static func readable(_ colour: Colour, on grounds: [Colour], towards end: Colour) -> Accent {
        var share = 0.0
        var found = colour
        while share <= 1, grounds.contains(where: { found.contrast(with: $0) < leastContrast }) {
            share += 0.02
            // What is shown is rounded, and what is shown has to be readable.
            found = Colour(colour.mixed(with: end, min(share, 1)).text) ?? end
        }
        let onAccent = found.contrast(with: white) >= found.contrast(with: black) ? white : black
        return Accent(accent: found.text, onAccent: onAccent.text)
    }
}
