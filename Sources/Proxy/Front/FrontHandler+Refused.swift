import Core
import HTTPWire
import Policy

extension FrontHandler {
    /// What was asked for, to be kept with its refusal: of a check what the proxy described.
    func asked(_ incoming: borrowing Incoming, _ verdict: Verdict, _ described: CheckDescription?) -> RefusedRequest {
        func text(_ bytes: UnsafeRawBufferPointer, atMost longest: Int) -> String {
            String(decoding: UnsafeRawBufferPointer(rebasing: bytes.prefix(longest)), as: UTF8.self)
        }
        let head = incoming.head
        let path = text(described?.path ?? head.path.bytes(in: incoming.bytes), atMost: RefusedRequest.longestPath)
        return RefusedRequest(
            method: text(described?.method ?? head.method.bytes(in: incoming.bytes), atMost: 64),
            host: text(described?.host ?? head.host.bytes(in: incoming.bytes), atMost: 260),
            path: Self.withoutToken(path), rule: current.refusingRule >= 0 ? current.refusingRule : nil,
            verdict: verdict.rawValue, shape: current.shape.label, shadow: current.refusingShadow)
    }
}
