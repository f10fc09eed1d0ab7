import Testing

@testable import Proxy

/// The client's side as a value: events in, actions out.
struct ExchangeTests {
    private func begun(keepsAlive: Bool = true, hasBody: Bool = false) -> Exchange {
        var exchange = Exchange()
        exchange.head(keepsAlive: keepsAlive, hasBody: hasBody)
        return exchange
    }

    @Test func aRefusalKeepsTheConnectionWhenTheRequestIsComplete() {
        var exchange = begun()
        #expect(exchange.answerKeepsAlive)
        #expect(exchange.answered() == .next)
        #expect(exchange.expects == .head)
    }

    @Test func aMalformedRequestClosesWhateverElse() {
        var exchange = begun()
        #expect(exchange.answered(malformed: true) == .close)
        #expect(exchange.state == .closed)
        var unfinished = begun(hasBody: true)
        #expect(unfinished.answered(malformed: true) == .endAndLinger)
        #expect(unfinished.isOver && unfinished.expects == .nothing)
        #expect(unfinished.inputClosed() == .close)
        #expect(unfinished.state == .closed)
    }

    @Test func aRefusedBodyIsDrainedUpToItsLimitAndThenCut() {
        var exchange = begun(hasBody: true)
        #expect(!exchange.answerKeepsAlive)
        #expect(exchange.answered() == .endAndDrain)
        #expect(exchange.expects == .body)
        #expect(exchange.drained(Exchange.drainLimit - 1, ended: false) == .none)
        #expect(exchange.drained(1, ended: false) == .endAndLinger)
        #expect(exchange.drained(1, ended: false) == .none)
        #expect(exchange.stop(headHasBegun: false) == .none)
        #expect(exchange.inputClosed() == .close)
        #expect(exchange.inputClosed() == .none)
    }

    @Test func aRefusedBodyThatCannotBeReadTakesNoAnswerAway() {
        var exchange = begun(hasBody: true)
        _ = exchange.answered()
        #expect(exchange.bodyInvalid() == .endAndLinger)
        #expect(exchange.bodyInvalid() == .none)
        #expect(exchange.upstreamFailed() == .nothing)
        var leaving = begun(hasBody: true)
        _ = leaving.answered()
        #expect(leaving.inputClosed() == .close)
    }

    @Test func aRefusedBodyThatEndsClosesToo() {
        var exchange = begun(hasBody: true)
        _ = exchange.answered()
        #expect(exchange.drained(10, ended: true) == .close)
    }

    @Test func bothEndsMakeRoomForTheNextRequest() {
        var exchange = begun(hasBody: true)
        exchange.forward()
        #expect(exchange.expects == .body)
        exchange.requestBodyEnded()
        #expect(exchange.expects == .nothing)
        exchange.responseBegan()
        #expect(exchange.answered() == .next)
    }

    @Test func anEarlyAnswerLeavesTheRestOfTheBodyToBeDrained() {
        var exchange = begun(hasBody: true)
        exchange.forward()
        exchange.responseBegan()
        #expect(exchange.answered() == .endAndDrain)
        var last = begun(keepsAlive: false, hasBody: true)
        last.forward()
        last.responseBegan()
        #expect(last.answered(saidToStay: true) == .endAndDrain)
    }

    @Test func anAnswerThatSaidTheConnectionStaysIsKept() {
        var exchange = begun(hasBody: true)
        exchange.forward()
        exchange.responseBegan()
        #expect(exchange.answered(saidToStay: true) == .drain)
        #expect(exchange.drained(10, ended: false) == .none)
        #expect(exchange.drained(Exchange.drainLimit, ended: true) == .next)
        #expect(exchange.expects == .head)
    }

    @Test func butNotWhenTheBodyIsTooLongOrTheServerStops() {
        for stops in [false, true] {
            var exchange = begun(hasBody: true)
            exchange.forward()
            exchange.responseBegan()
            _ = exchange.answered(saidToStay: true)
            if stops { _ = exchange.stop(headHasBegun: false) }
            #expect(exchange.drained(Exchange.drainLimit, ended: stops) == (stops ? .close : .endAndLinger))
        }
    }

    @Test func aFailureIsAnsweredOnlyWhileNothingIsOut() {
        var exchange = begun()
        exchange.forward()
        #expect(exchange.upstreamFailed() == .answer)
        exchange.responseBegan()
        #expect(exchange.upstreamFailed() == .abort)
        #expect(exchange.upstreamFailed() == .nothing)
    }

    @Test func aStopTakesWhatIsOnItsWayAndLetsTheRestEnd() {
        var idle = Exchange()
        #expect(idle.stop(headHasBegun: false) == .linger)
        #expect(idle.expects == .head)
        idle.head(keepsAlive: true, hasBody: false)
        #expect(!idle.answerKeepsAlive)
        #expect(idle.answered() == .close)
        var begunHead = Exchange()
        #expect(begunHead.stop(headHasBegun: true) == .none)
        begunHead.head(keepsAlive: true, hasBody: false)
        #expect(!begunHead.answerKeepsAlive)
        var busy = begun()
        busy.forward()
        #expect(busy.stop(headHasBegun: false) == .none)
        busy.responseBegan()
        #expect(busy.answered() == .close)
    }

    private func tunnel() -> Exchange {
        var exchange = begun()
        exchange.forward()
        exchange.switched()
        return exchange
    }

    @Test func aTunnelBeginsOnlyWhereAnAnswerIsAwaited() {
        #expect(tunnel().state == .tunnelling(.open))
        #expect(tunnel().expects == .raw)
        var answered = begun()
        answered.forward()
        answered.responseBegan()
        answered.switched()
        #expect(answered.state == .forwarding(.ended, .streaming))
        var uploading = begun(hasBody: true)
        uploading.forward()
        uploading.switched()
        #expect(uploading.state == .forwarding(.streaming, .awaited))
    }

    @Test func aTunnelEndsWhenBothSidesHave() {
        var client = tunnel()
        #expect(client.inputClosed() == .endUpstream)
        #expect(client.inputClosed() == .none)
        #expect(client.expects == .raw)
        #expect(client.upstreamClosed() == .close)
        #expect(client.state == .closed)
        var upstream = tunnel()
        #expect(upstream.upstreamClosed() == .endClient)
        #expect(upstream.upstreamClosed() == .none)
        #expect(upstream.inputClosed() == .finishUpstream)
        #expect(upstream.state == .closed)
        #expect(upstream.upstreamClosed() == .none)
    }

    @Test func aTunnelThatBreaksKeepsWhatHasCome() {
        for ends in [false, true] {
            var exchange = tunnel()
            if ends { _ = exchange.inputClosed() }
            #expect(exchange.upstreamFailed() == .close)
            #expect(exchange.upstreamFailed() == .nothing)
        }
    }

    @Test func aStopLeavesATunnelItsTime() {
        var exchange = tunnel()
        #expect(exchange.stop(headHasBegun: false) == .none)
        #expect(exchange.state == .tunnelling(.open))
    }

    @Test func halfClosedIsNotGone() {
        var complete = begun()
        complete.forward()
        #expect(complete.inputClosed() == .none)
        complete.responseBegan()
        #expect(complete.answered() == .close)
        var incomplete = begun(hasBody: true)
        incomplete.forward()
        #expect(incomplete.inputClosed() == .abort)
        var idle = Exchange()
        #expect(idle.inputClosed() == .abort)
    }
}

struct UpstreamExchangeTests {
    @Test func aWholeAnswerMakesTheConnectionReusable() {
        var exchange = UpstreamExchange()
        exchange.begin()
        #expect(exchange.received() == true)
        exchange.finalHead()
        #expect(exchange.ended(keepAlive: true, requestEnded: true, leftOver: false) == true)
        #expect(exchange.isReused)
        #expect(exchange.state == .idle)
    }

    @Test(arguments: [(false, true, false), (true, false, false), (true, true, true)])
    func anythingElseDoesNot(_ keepAlive: Bool, _ requestEnded: Bool, _ leftOver: Bool) {
        var exchange = UpstreamExchange()
        exchange.begin()
        _ = exchange.received()
        exchange.finalHead()
        #expect(exchange.ended(keepAlive: keepAlive, requestEnded: requestEnded, leftOver: leftOver) == false)
        #expect(exchange.state == .closed)
    }

    @Test func aTunnelIsNeverUsedAgain() {
        var exchange = UpstreamExchange()
        exchange.begin()
        _ = exchange.received()
        exchange.switched()
        #expect(exchange.state == .tunnelling)
        #expect(exchange.received() == true)
        exchange.finalHead()
        #expect(exchange.ended(keepAlive: true, requestEnded: true, leftOver: false) == false)
        #expect(exchange.failed() == .never)
    }

    @Test func bytesThatNobodyAskedForCloseIt() {
        var exchange = UpstreamExchange()
        #expect(exchange.received() == false)
        #expect(exchange.state == .closed)
    }

    @Test func onlyAReusedConnectionWithoutAByteOfAnAnswerMayBeRetried() {
        var fresh = UpstreamExchange()
        fresh.begin()
        #expect(fresh.failed() == .never)

        var reused = UpstreamExchange()
        reused.begin()
        _ = reused.received()
        reused.finalHead()
        _ = reused.ended(keepAlive: true, requestEnded: true, leftOver: false)
        var answering = reused
        reused.begin()
        var slow = reused
        #expect(slow.failed(.firstByteTimeout) == .never, "it may be at work on it")
        #expect(reused.failed() == .whenIdempotent)
        answering.begin()
        _ = answering.received()
        #expect(answering.failed(.reset, isUnsent: true) == .never)
        var refused = UpstreamExchange()
        refused.begin()
        #expect(refused.failed(.reset, isUnsent: true) == .always)
        #expect(refused.failed(.reset, isUnsent: true) == .never, "told once")
    }
}
