import HTTPWire
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

/// A message as either parser understood it.
private struct Message: Equatable {
    var line = ""
    var fields: [String] = []
    var body: [UInt8] = []
    var trailers: [String] = []
    var isComplete = false
}

/// What we accept, llhttp accepts, with the same method, target, fields, body and trailers.
///
/// Where llhttp is the stricter one, and why that is no difference about a message:
/// - it knows a closed list of methods; ours takes any token. Inputs end, for this test, at the first unknown one
///   (and at M-SEARCH, which NIO spells otherwise).
/// - it reads framing and connection fields in trailers as if they were in the head, and refuses some; ours reads them
///   nowhere but in heads and never forwards them. Messages with such trailers are compared up to there.
/// - it obeys `Proxy-Connection` like `Connection`; ours obeys only the latter. Inputs end there.
/// - after a message that ends its connection it takes no more bytes; we leave that to the connection. Inputs end
///   there, and at an Upgrade, where its bytes belong to another protocol.
/// - it leaves blanks behind a value in the value, which RFC 9112 section 5 takes off; they are taken off here.
/// Where llhttp is more lenient nothing needs listing: only what we accept is compared. Among that: blanks behind a
/// chunk's size, a list of codings that ends in `chunked`, several empty lines before a request, user-info and other
/// schemes in targets, raw `#` and `\`, dot segments, `Host` unchecked, a first empty line without its CR.
@Suite struct DifferentialTests {
    static let inputs = environmentNumber("GATEHOUSE_FUZZ_INPUTS") ?? 20_000

    @Test func requestsAreReadAsByLLHTTP() {
        var generator = WireGenerator(seed: 0x6761_7465)
        var compared = 0
        for number in 0..<Self.inputs {
            let input = generator.requests()
            let ours = requests(input)
            guard !ours.isEmpty else { continue }
            compared += ours.count
            let theirs = llhttpRequests(input)
            if !agree(ours, theirs) {
                Issue.record("input \(number): \(show(input))\nours: \(ours)\ntheirs: \(theirs)")
                return
            }
        }
        #expect(compared > Self.inputs / 5, "the generator makes too little that is acceptable: \(compared)")
    }

    @Test func responsesAreReadAsByLLHTTP() {
        var generator = WireGenerator(seed: 0x686F_7573)
        var compared = 0
        for number in 0..<(Self.inputs / 4) {
            let input = generator.response()
            let method: HTTPWire.Method = number % 5 == 0 ? .head : .get
            let ours = response(input, method)
            guard !ours.isEmpty else { continue }
            compared += 1
            let theirs = llhttpResponse(input, method == .head ? .HEAD : .GET)
            if !agree(ours, theirs) {
                Issue.record("input \(number): \(show(input))\nours: \(ours)\ntheirs: \(theirs)")
                return
            }
        }
        #expect(compared > Self.inputs / 40, "the generator makes too little that is acceptable: \(compared)")
    }

    @Test func theSameHoweverGeneratedInputIsCut() {
        var generator = WireGenerator(seed: 0x6375_7473)
        for number in 0..<(Self.inputs / 10) {
            let input = generator.requests()
            let whole = parse(input, cuts: [input.count])
            #expect(parse(input, cuts: Array(1...input.count)) == whole, "input \(number): \(show(input))")
            let cut = Int.random(in: 1...input.count, using: &generator.random)
            #expect(parse(input, cuts: [cut, input.count]) == whole, "input \(number): \(show(input))")
        }
    }

    /// Ours are theirs, as far as we went; a last message of ours may lack its end.
    private func agree(_ ours: [Message], _ theirs: [Message]) -> Bool {
        guard ours.count <= theirs.count else { return false }
        for (own, other) in zip(ours, theirs) {
            if own.isComplete {
                if own != other { return false }
            } else if own.line != other.line || own.fields != other.fields || !other.body.starts(with: own.body) {
                return false
            }
        }
        return true
    }

    private func show(_ input: [UInt8]) -> String { String(decoding: input, as: UTF8.self).debugDescription }
}

private let knownMethods: Set<String> = [
    "DELETE", "GET", "HEAD", "POST", "PUT", "OPTIONS", "COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH",
    "SEARCH",
    "UNLOCK", "BIND", "REBIND", "UNBIND", "ACL", "REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "NOTIFY",
    "SUBSCRIBE", "UNSUBSCRIBE", "PATCH", "PURGE", "MKCALENDAR", "LINK", "UNLINK", "SOURCE",
]

/// The messages that we read of an input.
private func requests(_ input: [UInt8]) -> [Message] {
    var messages: [Message] = []
    var position = 0
    var parser = RequestParser()
    var head = RequestHead()
    while position < input.count {
        var framing = BodyFraming.none
        var goesOn = false
        let message: Message? = Array(input[position...]).withUnsafeBytes { bytes in
            guard parser.parse(bytes, into: &head) == .complete else { return nil }
            guard knownMethods.contains(text(head.method, bytes)) else { return nil }
            framing = head.framing
            goesOn =
                head.keepAlive && head.firstField(.upgrade) == nil
                && head.firstField(.proxyConnection) == nil
            let version = head.version == .http11 ? "1.1" : "1.0"
            let line = "\(text(head.method, bytes)) \(text(head.target, bytes)) \(version)"
            return Message(line: line, fields: head.fields.map { show($0, bytes) })
        }
        guard var message else { break }
        position += head.headLength
        readBody(framing, input, &position, &message)
        messages.append(message)
        guard message.isComplete, goesOn else { break }
    }
    return messages
}

private func response(_ input: [UInt8], _ method: HTTPWire.Method) -> [Message] {
    var parser = ResponseParser()
    var head = ResponseHead()
    let message: Message? = input.withUnsafeBytes { bytes in
        guard parser.parse(bytes, requestMethod: method, into: &head) == .complete, !head.isInformational else {
            return nil
        }
        guard head.firstField(.upgrade) == nil else { return nil }
        let line = "\(head.version == .http11 ? "1.1" : "1.0") \(head.status)"
        return Message(line: line, fields: head.fields.map { show($0, bytes) })
    }
    guard var message else { return [] }
    var position = head.headLength
    switch head.framing {
    case .none: readBody(.none, input, &position, &message)
    case .length(let length): readBody(.length(length), input, &position, &message)
    case .chunked: readBody(.chunked, input, &position, &message)
    case .untilClose: message.body = Array(input[position...])
    }
    return [message]
}

private func readBody(_ framing: BodyFraming, _ input: [UInt8], _ position: inout Int, _ message: inout Message) {
    switch framing {
    case .none: message.isComplete = true
    case .length(let length):
        let count = min(UInt64(input.count - position), length)
        message.body = Array(input[position..<(position + Int(count))])
        message.isComplete = count == length
        position += Int(count)
    case .chunked:
        let rest = Array(input[position...])
        let body = decodeChunked(rest, cuts: [rest.count])
        message.body = body.data
        message.trailers = body.trailers
        let framing = body.trailers.contains { trailer in
            ["content-length", "transfer-encoding", "connection", "upgrade", "proxy-connection"].contains {
                trailer.lowercased().hasPrefix($0 + ":")
            }
        }
        message.isComplete = body.isFinished && !framing
        position += body.consumed
    }
}

private func show(_ field: HeaderField, _ bytes: UnsafeRawBufferPointer) -> String {
    "\(text(field.name, bytes)): \(text(field.value, bytes))"
}

private func show(_ headers: HTTPHeaders?) -> [String] {
    (headers ?? [:]).map { field in
        var value = field.value[...]
        while value.last == " " || value.last == "\t" { value.removeLast() }
        return "\(field.name): \(value)"
    }
}

private func llhttpRequests(_ input: [UInt8]) -> [Message] {
    let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
    _ = try? channel.writeInbound(ByteBuffer(bytes: input))
    var messages: [Message] = []
    while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
        switch part {
        case .head(let head):
            let version = "\(head.version.major).\(head.version.minor)"
            let line = "\(head.method.rawValue) \(head.uri) \(version)"
            messages.append(Message(line: line, fields: show(head.headers)))
        case .body(let buffer): messages[messages.count - 1].body += Array(buffer.readableBytesView)
        case .end(let trailers):
            messages[messages.count - 1].trailers = show(trailers)
            messages[messages.count - 1].isComplete = true
        }
    }
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return messages
}

private func llhttpResponse(_ input: [UInt8], _ method: HTTPMethod) -> [Message] {
    let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes)))
    let request = HTTPRequestHead(version: .http1_1, method: method, uri: "/")
    _ = try? channel.writeOutbound(HTTPClientRequestPart.head(request))
    _ = try? channel.writeInbound(ByteBuffer(bytes: input))
    var messages: [Message] = []
    while let part = try? channel.readInbound(as: HTTPClientResponsePart.self) {
        switch part {
        case .head(let head):
            let line = "\(head.version.major).\(head.version.minor) \(head.status.code)"
            messages.append(Message(line: line, fields: show(head.headers)))
        case .body(let buffer): messages[messages.count - 1].body += Array(buffer.readableBytesView)
        case .end(let trailers):
            messages[messages.count - 1].trailers = show(trailers)
            messages[messages.count - 1].isComplete = true
        }
    }
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return messages
}
