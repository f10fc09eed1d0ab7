import NIOCore
import NIOHPACK

/// Reads what a server sends and remembers what it means.
struct FrameReader {
    private(set) var seen: Set<FrameCase.Expectation> = []
    private(set) var log: [String] = []
    private(set) var isClosed = false
    private var buffer: [UInt8] = []
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator())

    mutating func take(_ bytes: [UInt8]) throws {
        if bytes.isEmpty {
            isClosed = true
            seen.insert(.closed)
            return
        }
        buffer += bytes
        while buffer.count >= 9 {
            let length = Int(buffer[0]) << 16 | Int(buffer[1]) << 8 | Int(buffer[2])
            guard buffer.count >= 9 + length else { return }
            let stream = buffer[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            try note(buffer[3], flags: buffer[4], stream: stream, Array(buffer[9..<9 + length]))
            buffer.removeFirst(9 + length)
        }
    }

    private mutating func note(_ type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) throws {
        func code(_ offset: Int) -> String {
            let number = payload[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
            return FrameCase.errors.indices.contains(number) ? FrameCase.errors[number] : "\(number)"
        }
        log.append("type \(type) flags \(flags) stream \(stream) \(payload.count) bytes")
        switch type {
        case 0, 1:
            if type == 1 {
                var block = ByteBuffer(bytes: payload)
                if let status = try decoder.decodeHeaders(from: &block).first(name: ":status") {
                    seen.formUnion([.status(status, on: stream), .status(nil, on: stream)])
                    log.append("status \(status)")
                }
            }
            if flags & 1 != 0 { seen.insert(.end(stream)) }
        case 3:
            seen.insert(.streamError(code(0), on: stream))
            log.append("reset \(code(0))")
        case 6 where flags & 1 != 0: seen.insert(.ping(payload))
        case 7:
            seen.insert(.connectionError(code(4)))
            log.append("goaway \(code(4)) after \(payload[0..<4].reduce(0) { $0 << 8 | Int($1) })")
        default: break
        }
    }
}
