import HTTPWire
import NIOCore

/// Writes the head that the client gets: the upstream's, without what concerns only that connection, framed for this
/// one.
struct ResponseRewriting {
    let head: ResponseHead
    let bytes: UnsafeRawBufferPointer
    let site: Site

    /// How the body goes to the client: chunked where its length is not known and the client knows chunks.
    static func framing(of head: ResponseHead, oldVersion: Bool) -> ResponseFraming {
        switch head.framing {
        case .none: .none
        case .length(let count): .length(count)
        case .chunked, .untilClose: oldVersion ? .untilClose : .chunked
        }
    }

    func write(
        framing: ResponseFraming, closes: Bool, keepAliveForOld: Bool = false, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeDecimal(head.status)
        buffer.writeStaticString(" ")
        buffer.writeBytes(head.reasonPhrase.bytes(in: bytes))
        buffer.writeStaticString("\r\n")
        copyFields(into: &buffer)
        if head.status == 101, let upgrade = head.upgrade {
            buffer.writeStaticString("Connection: Upgrade\r\nUpgrade: ")
            buffer.writeBytes(upgrade.bytes(in: bytes))
            buffer.writeStaticString("\r\n")
        }
        if framing == .chunked { buffer.writeStaticString("Transfer-Encoding: chunked\r\n") }
        if closes {
            buffer.writeStaticString("Connection: close\r\n")
        } else if keepAliveForOld {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    private func forwards(_ field: HeaderField) -> Bool {
        guard site.hygiene.forwards(field, of: head, in: bytes) else { return false }
        return field.id != .setCookie || !site.ownCookies.contains(setCookie: field.value.bytes(in: bytes))
    }

    /// In runs of whole lines, as in `RequestRewriting`.
    private func copyFields(into buffer: inout ByteBuffer) {
        var runStart = -1
        for index in head.fields.indices {
            let start = Int(head.fields[index].name.offset)
            if forwards(head.fields[index]) {
                if runStart < 0 { runStart = start }
            } else if runStart >= 0 {
                buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<start]))
                runStart = -1
            }
        }
        if runStart >= 0 {
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<head.headLength - 2]))
        }
    }
}
