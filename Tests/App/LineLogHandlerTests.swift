import Core
import Logging
import Testing

@testable import App

@Suite struct LineLogHandlerTests {
    private struct Fixed: WallClock {
        func now() -> Timestamp { Timestamp(milliseconds: 0) }
    }

    private func line(_ message: String, _ metadata: Logger.Metadata, isJSON: Bool) -> String {
        LineLogHandler(label: "test", style: LogStyle(level: .info, isJSON: isJSON), clock: Fixed())
            .line(.warning, message: message, metadata: metadata)
    }

    @Test func oneLineOfJSONInAFixedOrder() {
        #expect(
            line("refused", ["route": "wiki", "address": "192.0.2.1"], isJSON: true)
                == #"{"time":"1970-01-01T00:00:00.000Z","level":"warning","message":"refused","address":"192.0.2.1","route":"wiki"}"#
                + "\n")
    }

    @Test func whatWasHandedOutFollowsAReload() {
        let style = LogStyle(level: .info, isJSON: true)
        var logger = Logger(label: "test") { LineLogHandler(label: $0, style: style, clock: Fixed()) }
        let other = logger
        style.change(level: .error, isJSON: false)
        #expect(logger.logLevel == .error)
        logger.logLevel = .trace
        #expect(logger.logLevel == .trace)
        #expect(other.logLevel == .error)
        #expect(!style.isJSON)
    }

    @Test func textForATerminal() {
        #expect(
            line("refused", ["route": "wiki"], isJSON: false)
                == "1970-01-01T00:00:00.000Z warning refused route=\"wiki\"\n")
    }

    @Test(arguments: [
        "a\nb", "a\r\nb", "a\u{1b}[31mb", "a\u{0}b", "a\"b", "a\\b", "a\u{2028}b", "a\u{202e}b", "a\u{9b}b", "a\u{7f}b",
    ])
    func lesson81_whatAClientSendsBeginsNoLineAndColoursNoTerminal(text: String) {
        for isJSON in [true, false] {
            let written = line("refused", ["path": "\(text)"], isJSON: isJSON).dropLast()
            #expect(
                written.unicodeScalars.allSatisfy {
                    $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) && !(0x2028...0x202e).contains($0.value)
                })
            #expect(written.contains("a\\"))
        }
    }
}
