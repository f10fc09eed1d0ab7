import Core
import HTTPWire
import NIOCore
import Policy

/// Writes the head that an upstream gets. What the client sent is copied in runs of whole lines; hop-by-hop and
/// reserved fields and our credentials fall out, ours come after them.
struct RequestRewriting {
    let site: Site
    let route: Route
    let removed: FieldMask
    /// `Cookie` fields of which the rest goes on.
    let filtered: FieldMask
    let peer: Peer
    let requestID: RequestID

    /// Where the value of `Host` stands, in bytes from the beginning of the buffer, so that another server of the same
    /// upstream can be given its own.
    struct HostPlace {
        var offset: Int
        var count: Int
    }

    /// - Parameters:
    ///   - path: what is left of the path after `strip_prefix`.
    ///   - authority: the server's own name; nil: the client's `Host` is kept.
    /// - Returns: where in `buffer` the value of `Host` stands.
    func write(
        _ incoming: borrowing FrontHandler.Incoming, path: UnsafeRawBufferPointer, authority: [UInt8]?,
        identityBlock: [UInt8],
        traceParent: (UInt64, UInt64, UInt64),
        into buffer: inout ByteBuffer
    ) -> HostPlace {
        var place = HostPlace(offset: 0, count: 0)
        let before = buffer.readableBytes
        buffer.writeHead { writer in
            writeRequestLine(incoming, path, into: &writer)
            writer.text("Host: ")
            place.offset = before + writer.count
            if let authority {
                writer.bytes(authority)
            } else {
                writer.bytes(incoming.head.host.bytes(in: incoming.bytes))
            }
            place.count = before + writer.count - place.offset
            writer.text("\r\n")
            copyFields(of: incoming, into: &writer)
            if case .chunked = incoming.head.framing { writer.text("Transfer-Encoding: chunked\r\n") }
            if let upgrade = incoming.head.upgrade {
                writer.text("Connection: Upgrade\r\nUpgrade: ")
                writer.bytes(upgrade.bytes(in: incoming.bytes))
                writer.text("\r\n")
            }
            writer.bytes(identityBlock)
            writeForwarded(incoming, into: &writer)
            writer.text("Via: 1.1 gatehouse\r\nX-Request-Id: ")
            requestID.write(into: &writer)
            writer.text("\r\n")
            if !keepsTraceParent(incoming) { writeTraceParent(traceParent, into: &writer) }
            writer.text("\r\n")
        }
        return place
    }

    private func writeRequestLine(
        _ incoming: borrowing FrontHandler.Incoming, _ path: UnsafeRawBufferPointer, into writer: inout HeadWriter
    ) {
        writer.bytes(incoming.head.method.bytes(in: incoming.bytes))
        writer.text(" ")
        writer.bytes(path)
        if let query = incoming.head.query {
            writer.text("?")
            writer.bytes(query.bytes(in: incoming.bytes))
        }
        writer.text(" HTTP/1.1\r\n")
    }

    /// Lines stand next to each other in the head that was parsed (no folding, every end is CR LF), so neighbours
    /// that both go on are one copy.
    private func copyFields(of incoming: borrowing FrontHandler.Incoming, into writer: inout HeadWriter) {
        var runStart = -1
        for index in incoming.head.fields.indices {
            let start = Int(incoming.head.fields[index].name.offset)
            if copies(index, of: incoming) {
                if runStart < 0 { runStart = start }
            } else if runStart >= 0 {
                writer.bytes(UnsafeRawBufferPointer(rebasing: incoming.bytes[runStart..<start]))
                runStart = -1
            }
            if filtered.contains(index) { copyOtherCookies(index, of: incoming, into: &writer) }
        }
        if runStart >= 0 {
            writer.bytes(UnsafeRawBufferPointer(rebasing: incoming.bytes[runStart..<incoming.head.headLength - 2]))
        }
    }

    private func copyOtherCookies(
        _ index: Int, of incoming: borrowing FrontHandler.Incoming, into writer: inout HeadWriter
    ) {
        let field = incoming.head.fields[index]
        guard site.hygiene.forwards(field, of: incoming.head, in: incoming.bytes),
            CookiePairs.writeOthers(
                of: field.value.bytes(in: incoming.bytes), site.ownCookies, after: "Cookie: ", into: &writer)
        else { return }
        writer.text("\r\n")
    }

    @inline(__always)
    private func copies(_ index: Int, of incoming: borrowing FrontHandler.Incoming) -> Bool {
        if removed.contains(index) || filtered.contains(index) { return false }
        let field = incoming.head.fields[index]
        switch field.id {
        case .host, .xRequestID, .xForwardedFor: return false
        case .expect where !incoming.head.expectContinue: return false
        // What vendors have to say is about that parent, and about no other (W3C Trace Context, section 3.3.1.1).
        case .traceparent, .tracestate: return keepsTraceParent(incoming)
        default: return site.hygiene.forwards(field, of: incoming.head, in: incoming.bytes)
        }
    }

    private func writeForwarded(_ incoming: borrowing FrontHandler.Incoming, into writer: inout HeadWriter) {
        if incoming.peerIsTrusted, incoming.scan.forwardedFor > 0 {
            writer.text("X-Forwarded-For: ")
            var isFirst = true
            for index in incoming.head.fields.indices where incoming.head.fields[index].id == .xForwardedFor {
                if !isFirst { writer.text(", ") }
                isFirst = false
                writer.bytes(incoming.head.fields[index].value.bytes(in: incoming.bytes))
            }
            if !peer.text.isEmpty {
                writer.text(", ")
                writer.bytes(peer.text)
            }
            writer.text("\r\n")
        } else if !peer.text.isEmpty {
            writer.text("X-Forwarded-For: ")
            writer.bytes(peer.text)
            writer.text("\r\n")
        }
        writer.bytes(site.routes[route.index].protocolLine)
        writer.text("X-Forwarded-Host: ")
        writer.bytes(incoming.head.host.bytes(in: incoming.bytes))
        writer.text("\r\n")
    }

    /// One `traceparent` of the right shape goes on (W3C Trace Context, section 3.2).
    private func keepsTraceParent(_ incoming: borrowing FrontHandler.Incoming) -> Bool {
        incoming.scan.traceparents == 1
            && Self.isTraceParent(incoming.head.fields[incoming.scan.traceparent].value.bytes(in: incoming.bytes))
    }

    static func isTraceParent(_ value: UnsafeRawBufferPointer) -> Bool {
        guard value.count >= 55, value.count == 55 || value[55] == UInt8(ascii: "-") else { return false }
        for (index, byte) in value.prefix(55).enumerated() {
            switch index {
            case 2, 35, 52: guard byte == UInt8(ascii: "-") else { return false }
            default: guard (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) else { return false }
            }
        }
        let isVersion255 = value[0] == UInt8(ascii: "f") && value[1] == UInt8(ascii: "f")
        let isVersion0 = value[0] == 0x30 && value[1] == 0x30
        return !isVersion255 && (!isVersion0 || value.count == 55) && value[3..<35].contains { $0 != 0x30 }
            && value[36..<52].contains { $0 != 0x30 }
    }

    /// A new trace, marked as sampled: that leaves the app's own sampler as it would be without us.
    private func writeTraceParent(_ id: (UInt64, UInt64, UInt64), into writer: inout HeadWriter) {
        writer.text("traceparent: 00-")
        writer.hexadecimal(id.0 | 1)
        writer.hexadecimal(id.1)
        writer.text("-")
        writer.hexadecimal(id.2 | 1)
        writer.text("-01\r\n")
    }
}
