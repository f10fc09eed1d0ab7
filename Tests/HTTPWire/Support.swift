import Glibc
import HTTPWire

/// A request as text, so that tests can compare without buffers.
struct ParsedRequest: Equatable {
    var method: String
    var target: String
    var path: String
    var query: String?
    var host: String
    var version: HTTPVersion
    var fields: [String]
    var framing: BodyFraming
    var keepAlive: Bool
    var headLength: Int
}

enum Outcome: Equatable {
    case incomplete
    case complete(ParsedRequest)
    case refused(Refusal.Code)

    var code: Refusal.Code? {
        if case .refused(let code) = self { return code }
        return nil
    }

    var request: ParsedRequest? {
        if case .complete(let request) = self { return request }
        return nil
    }
}

func text(_ slice: Slice, _ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: slice.bytes(in: bytes), as: UTF8.self)
}

extension RequestHead {
    func asText(_ bytes: UnsafeRawBufferPointer) -> ParsedRequest {
        ParsedRequest(
            method: text(method, bytes), target: text(target, bytes), path: text(path, bytes),
            query: query.map { text($0, bytes) }, host: text(host, bytes), version: version,
            fields: fields.map { "\(text($0.name, bytes)): \(text($0.value, bytes))" }, framing: framing,
            keepAlive: keepAlive, headLength: headLength)
    }
}

/// Feeds one head in pieces that end at `cuts`, always from the start of the head, as a connection's buffer grows.
func parse(_ input: [UInt8], cuts: [Int], limits: RequestParser.Limits = .init()) -> Outcome {
    var parser = RequestParser(limits: limits)
    var head = RequestHead()
    return parse(input, cuts: cuts, with: &parser, into: &head)
}

func parse(_ input: [UInt8], cuts: [Int], with parser: inout RequestParser, into head: inout RequestHead) -> Outcome {
    for cut in cuts {
        let piece = Array(input[..<cut])
        let outcome: Outcome? = piece.withUnsafeBytes { bytes in
            switch parser.parse(bytes, into: &head) {
            case .incomplete: nil
            case .complete: .complete(head.asText(bytes))
            case .refused(let refusal): .refused(refusal.code)
            }
        }
        if let outcome { return outcome }
    }
    return .incomplete
}

func parse(_ input: String, limits: RequestParser.Limits = .init()) -> Outcome {
    parse(Array(input.utf8), cuts: [input.utf8.count], limits: limits)
}

/// A GET with that path in front of a good rest.
func parsePath(_ path: String) -> Outcome { parse("GET \(path) HTTP/1.1\r\nHost: a.example\r\n\r\n") }

/// What a path would meet on a route that keeps `kept`.
func judge(_ path: String, keeping kept: PathTraits = []) -> Refusal.Code? {
    Array(path.utf8).withUnsafeBytes { bytes in
        do throws(Refusal) {
            let parts = try RequestTarget.check(bytes)
            return RequestTarget.refusal(for: parts.traits, keeping: kept)?.code
        } catch {
            return error.code
        }
    }
}

/// A reproducible source of randomness (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A number from the environment: how long the long runs are.
func environmentNumber(_ name: String) -> Int? {
    guard let value = getenv(name) else { return nil }
    return Int(String(cString: value))
}
