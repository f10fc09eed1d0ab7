import NIOCore

/// The name of one exchange in logs, answers and audit: as the client sent it (`[A-Za-z0-9._-]{1,128}`), or made.
enum RequestID: Sendable {
    case made(UInt64, UInt64)
    case kept([UInt8])

    init?(keeping bytes: UnsafeRawBufferPointer) {
        guard (1...128).contains(bytes.count) else { return nil }
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                continue
            default: return nil
            }
        }
        self = .kept(Array(bytes))
    }

    func write(into buffer: inout ByteBuffer) {
        switch self {
        case .made(let high, let low):
            buffer.writeHexadecimal(high)
            buffer.writeHexadecimal(low)
        case .kept(let bytes): buffer.writeBytes(bytes)
        }
    }

    func write(into writer: inout HeadWriter) {
        switch self {
        case .made(let high, let low):
            writer.hexadecimal(high)
            writer.hexadecimal(low)
        case .kept(let bytes): writer.bytes(bytes)
        }
    }

    var text: String {
        var buffer = ByteBuffer()
        write(into: &buffer)
        return String(buffer: buffer)
    }
}

extension ByteBuffer {
    /// Sixteen digits in lower case.
    mutating func writeHexadecimal(_ value: UInt64) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: 16) { target in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value >> UInt64((15 - index) * 4)) & 15
                target[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            }
            return 16
        }
    }

    /// Decimal digits, without a sign.
    mutating func writeDecimal(_ value: Int) {
        var digits: UInt64 = 0
        var count = 0
        var rest = value < 0 ? 0 : UInt64(value)
        // Up to eight digits fit the word; longer numbers are rare enough for text.
        guard rest < 100_000_000 else {
            writeString(String(rest))
            return
        }
        repeat {
            digits = digits << 8 | (0x30 + rest % 10)
            rest /= 10
            count += 1
        } while rest > 0
        for _ in 0..<count {
            writeInteger(UInt8(truncatingIfNeeded: digits))
            digits >>= 8
        }
    }
}

/// xoshiro256**: fast, good enough to tell requests apart, not for secrets.
struct RequestIDSource {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    init(seed: UInt64) {
        var value = seed
        func splitMix() -> UInt64 {
            value &+= 0x9e37_79b9_7f4a_7c15
            var mixed = value
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return mixed ^ mixed >> 31
        }
        state = (splitMix(), splitMix(), splitMix(), splitMix())
    }

    mutating func next() -> UInt64 {
        let product = state.1 &* 5
        let result = (product << 7 | product >> 57) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = state.3 << 45 | state.3 >> 19
        return result
    }
}
