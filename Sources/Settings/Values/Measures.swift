/// Durations and sizes as they are written.
public enum Measures {
    /// `90s`, `15m`, `12h`, `30d`; nil for anything else, also for what does not fit.
    public static func duration(_ text: String) -> Duration? {
        guard let unit = text.utf8.last, let seconds = Self.seconds[unit],
            let number = wholeNumber(String(text.dropLast()))
        else { return nil }
        let (total, overflow) = number.multipliedReportingOverflow(by: seconds)
        // A century is more than any of these means, and leaves room for calculating with it.
        return overflow || total > 100 * 366 * 86400 ? nil : .seconds(Int64(total))
    }

    /// `64KiB`, `10MiB`, `1GiB`, `512B`; nil for anything else, also for what does not fit.
    public static func size(_ text: String) -> UInt64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let factor = factors[String(text[digits.endIndex...])], let number = wholeNumber(String(digits)) else {
            return nil
        }
        let (total, overflow) = UInt64(number).multipliedReportingOverflow(by: factor)
        return overflow || total > UInt64(Int64.max) ? nil : total
    }

    /// Only digits, no sign, at most eighteen.
    static func wholeNumber(_ text: String) -> Int? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    /// As a duration is written, in the largest unit that fits.
    static func describe(seconds number: Int64) -> String {
        for (unit, length) in [("d", Int64(86400)), ("h", 3600), ("m", 60)] where number > 0 && number % length == 0 {
            return "\(number / length)\(unit)"
        }
        return "\(number)s"
    }

    /// As a size is written, in the largest unit that fits.
    static func describe(bytes number: UInt64) -> String {
        for (unit, length) in [("GiB", UInt64(1 << 30)), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        where number > 0 && number % length == 0 {
            return "\(number / length)\(unit)"
        }
        return "\(number)B"
    }

    private static let seconds: [UInt8: Int] = [
        UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3600, UInt8(ascii: "d"): 86400,
    ]

    private static let factors: [String: UInt64] = [
        "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
    ]
}
