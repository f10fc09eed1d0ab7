import Core
import HTTPWire
import NIOCore

/// Writes whole answers of our own: head, body and framing in one piece.
struct AnswerWriter {
    /// What an answer needs to know of its request.
    struct Setting {
        var isHead: Bool
        var isOldVersion: Bool
        var keepsAlive: Bool
    }

    static func writeStatusLine(_ status: Int, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeDecimal(status)
        buffer.writeStaticString(" ")
        buffer.writeStaticString(AnswerText.phrase(status))
        buffer.writeStaticString("\r\n")
    }

    static func writeConnection(_ setting: Setting, into buffer: inout ByteBuffer) {
        if !setting.keepsAlive {
            buffer.writeStaticString("Connection: close\r\n")
        } else if setting.isOldVersion {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
    }

    static func writeConnection(_ setting: Setting, into writer: inout HeadWriter) {
        if !setting.keepsAlive {
            writer.text("Connection: close\r\n")
        } else if setting.isOldVersion {
            writer.text("Connection: keep-alive\r\n")
        }
    }

    /// `Content-Length`, the end of the head, and the body unless the method is HEAD.
    static func writeBody(_ body: ByteBuffer, _ setting: Setting, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("Content-Length: ")
        buffer.writeDecimal(body.readableBytes)
        buffer.writeStaticString("\r\n\r\n")
        if !setting.isHead { buffer.writeImmutableBuffer(body) }
    }
}

/// The problem document of RFC 9457, always under 2 kB.
enum ProblemDocument {
    static func make(
        status: Int, reason: Reason?, detail: String?, requestID: RequestID, loginURL: String
    ) -> ByteBuffer {
        var body = ByteBuffer()
        body.reserveCapacity(512)
        body.writeStaticString("{\"type\":\"about:blank\",\"title\":\"")
        body.writeStaticString(AnswerText.phrase(status))
        body.writeStaticString("\",\"status\":")
        body.writeDecimal(status)
        body.writeStaticString(",\"detail\":\"")
        if let detail {
            writeEscaped(detail, limit: 300, into: &body)
        } else if let reason {
            body.writeStaticString(AnswerText.detail(reason))
        } else {
            body.writeStaticString(AnswerText.detail(status: status))
        }
        // The list of reasons is closed: where it has no word there is no code.
        if let reason {
            body.writeStaticString("\",\"code\":\"")
            body.writeString(reason.rawValue)
        }
        body.writeStaticString("\",\"request_id\":\"")
        requestID.write(into: &body)
        body.writeStaticString("\"")
        if status == 401 || status == 403 {
            body.writeStaticString(",\"login_url\":\"")
            writeEscaped(loginURL, limit: 1000, into: &body)
            body.writeStaticString("\"")
        }
        body.writeStaticString("}\n")
        return body
    }

    /// JSON string content; what would need an escape is from our own configuration and rare.
    private static func writeEscaped(_ text: String, limit: Int, into body: inout ByteBuffer) {
        for byte in text.utf8.prefix(limit) {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                body.writeInteger(UInt8(ascii: "\\"))
                body.writeInteger(byte)
            case 0..<0x20, 0x7f: body.writeStaticString("?")
            default: body.writeInteger(byte)
            }
        }
    }
}

/// `WWW-Authenticate`: Bearer by RFC 6750 and RFC 9470, or Basic where the route asks for it.
enum AuthenticateHeader {
    static func write(_ authentication: RefusalAnswer.Authentication, basic: Bool, into buffer: inout ByteBuffer) {
        switch authentication {
        case .none: return
        case .missing where basic, .invalid where basic:
            buffer.writeStaticString("WWW-Authenticate: Basic realm=\"gatehouse\", charset=\"UTF-8\"\r\n")
        case .missing: buffer.writeStaticString("WWW-Authenticate: Bearer realm=\"gatehouse\"\r\n")
        case .invalid:
            buffer.writeStaticString("WWW-Authenticate: Bearer realm=\"gatehouse\", error=\"invalid_token\"\r\n")
        case .scope:
            buffer.writeStaticString("WWW-Authenticate: Bearer realm=\"gatehouse\", error=\"insufficient_scope\"\r\n")
        case .stepUp:
            buffer.writeStaticString(
                "WWW-Authenticate: Bearer realm=\"gatehouse\", error=\"insufficient_user_authentication\"\r\n")
        }
    }
}
