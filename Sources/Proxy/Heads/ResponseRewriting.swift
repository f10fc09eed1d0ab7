import HTTPWire
import NIOCore

/// Writes the head that the client gets: the upstream's, without what concerns only that connection, framed for this
/// one.
struct ResponseRewriting {
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
        _ head: ResponseHead, framing: ResponseFraming, closes: Bool, keepAliveForOld: Bool = false,
        into buffer: inout ByteBuffer
    ) {
        buffer.writeHead { writer in
            writer.text("HTTP/1.1 ")
            writer.decimal(head.status)
            writer.text(" ")
            writer.bytes(head.reasonPhrase.bytes(in: bytes))
            writer.text("\r\n")
            copyFields(of: head, into: &writer)
            if head.status == 101, let upgrade = head.upgrade {
                writer.text("Connection: Upgrade\r\nUpgrade: ")
                writer.bytes(upgrade.bytes(in: bytes))
                writer.text("\r\n")
            }
            if framing == .chunked { writer.text("Transfer-Encoding: chunked\r\n") }
            if closes {
                writer.text("Connection: close\r\n")
            } else if keepAliveForOld {
                writer.text("Connection: keep-alive\r\n")
            }
            writer.text("\r\n")
        }
    }

    private func forwards(_ field: HeaderField, of head: ResponseHead) -> Bool {
        guard site.hygiene.forwards(field, of: head, in: bytes) else { return false }
        return field.id != .setCookie || !site.ownCookies.contains(setCookie: field.value.bytes(in: bytes))
    }

    /// In runs of whole lines, as in `RequestRewriting`.
    private func copyFields(of head: ResponseHead, into writer: inout HeadWriter) {
        var runStart = -1
        for index in head.fields.indices {
            let start = Int(head.fields[index].name.offset)
            if forwards(head.fields[index], of: head) {
                if runStart < 0 { runStart = start }
            } else if runStart >= 0 {
                writer.bytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<start]))
                runStart = -1
            }
        }
        if runStart >= 0 {
            writer.bytes(UnsafeRawBufferPointer(rebasing: bytes[runStart..<head.headLength - 2]))
        }
    }
}
