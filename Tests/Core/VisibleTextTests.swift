import Testing

@testable import Core

@Suite struct VisibleTextTests {
    @Test(arguments: [
        "", "Ada's phone", "Bürorechner (3. Stock)", "Ανδρέας", "телефон", "我的電腦", "コンピュータ", "محمد", "דוד", "नमस्ते",
        // Persian with a joiner of the other kind, Hindi and Sinhala with either.
        "می\u{200c}خواهم", "क्\u{200d}ष", "ශ්\u{200d}රී",
        // A heart that is red, a family, a technician, and two flags of letters.
        "\u{2764}\u{fe0f}", "👨\u{200d}👩\u{200d}👧", "👩🏽\u{200d}💻", "🏳\u{fe0f}\u{200d}🌈", "🇩🇪 🇫🇷", "e\u{301}",
        "50 € – «yes»",
    ]) func seen(_ text: String) {
        #expect(VisibleText.isAll(of: text))
        #expect(VisibleText.stripped(text) == text && VisibleText.masked(text) == text)
    }

    @Test(
        arguments: [
            0x0, 0x9, 0xa, 0x1b, 0x7f, 0x85, 0x9f, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180e, 0x200b, 0x200c,
            0x200d,
            0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2060, 0x2064, 0x2066, 0x2067,
            0x2068,
            0x2069, 0x206a, 0x2800, 0x3164, 0xe000, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xfffe, 0x1d173, 0xe0001,
            0xe0061,
            0xe0100, 0x10fffd,
        ] as [UInt32]) func notSeen(_ value: UInt32) throws
    {
        let hidden = String(try #require(Unicode.Scalar(value)))
        for (before, after) in [("ad", "min"), ("", "admin"), ("admin", ""), ("", ""), ("ад", "мин"), ("á", "ä")] {
            let text = before + hidden + after
            #expect(!VisibleText.isAll(of: text))
            #expect(VisibleText.stripped(text).unicodeScalars.elementsEqual((before + after).unicodeScalars))
            #expect(VisibleText.masked(text).unicodeScalars.elementsEqual((before + "?" + after).unicodeScalars))
        }
    }

    /// What joins pictures and letters joins nothing else, however it is wrapped.
    @Test(arguments: [
        "می\u{200c}", "\u{200d}👩", "👩\u{200d}", "👩\u{200d}\u{200d}💻", "a\u{200d}👩", "👩\u{200d}a", "1\u{fe0f}",
        "a\u{fe0f}",
        "می\u{200c} خواهم", "\u{fe0f}\u{fe0f}",
    ]) func joinersOfNothing(_ text: String) {
        #expect(!VisibleText.isAll(of: text))
        #expect(VisibleText.isAll(of: VisibleText.stripped(text)))
    }
}
