internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// What a handler answers. Starts as a refusal.
struct Answer: Sendable {
    var status = 403
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Another page, to be got.
    static func seeOther(_ location: String) -> Answer {
        Answer(status: 303, headers: [("Location", location), ("Cache-Control", "no-store")])
    }

    func setting(_ cookies: [String]) -> Answer {
        var answer = self
        answer.headers += cookies.map { (name: "Set-Cookie", value: $0) }
        return answer
    }

}

/// The router's library answers with its own type; ours goes through it and comes out again.
extension Answer: ResponseGenerator {
    func response(from request: Request, context: some RequestContext) -> Response {
        var fields = HTTPFields()
        for (name, value) in headers {
            guard let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        return Response(
            status: HTTPResponse.Status(code: status), headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    /// - Throws: what a body that is made while it is written throws; ours are never that.
    static func made(of response: Response) async throws -> Answer {
        let collector = BodyCollector()
        try await response.body.write(BodyCollector.Writer(collector: collector))
        return Answer(
            status: response.status.code,
            headers: response.headers.filter { $0.name != .contentLength }.map { ($0.name.rawName, $0.value) },
            body: collector.bytes)
    }
}

/// Gathers a response's body.
private final class BodyCollector {
    private(set) var bytes: [UInt8] = []

    struct Writer: ResponseBodyWriter {
        let collector: BodyCollector

        mutating func write(_ buffer: ByteBuffer) {
            collector.bytes.append(contentsOf: buffer.readableBytesView)
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) {}
    }
}
