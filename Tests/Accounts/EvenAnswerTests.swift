import Testing

@testable import Accounts

@Suite struct EvenAnswerTests {
    @Test func whatTakesAboutAsLongIsAnsweredAtTheSameMoment() {
        #expect(EvenAnswer.moment(after: .zero) == .milliseconds(5))
        #expect(EvenAnswer.moment(after: .microseconds(830)) == EvenAnswer.moment(after: .microseconds(1010)))
        #expect(EvenAnswer.moment(after: .microseconds(5300)) == .milliseconds(10))
    }

    @Test func itIsNeverInThePast() {
        #expect(EvenAnswer.moment(after: .milliseconds(5)) == .milliseconds(10))
        #expect(EvenAnswer.moment(after: .seconds(-1)) == .milliseconds(5))
        #expect(EvenAnswer.moment(after: .seconds(3600)) > .seconds(3600))
    }
}
