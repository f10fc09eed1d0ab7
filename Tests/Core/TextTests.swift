import Core
import Glibc
import Testing

@Suite struct TextTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64OfRFC4648(plain: String, encoded: String) {
        #expect(Base64URL.encode(Array(plain.utf8)) == encoded)
        #expect(Base64URL.decode(encoded) == Array(plain.utf8))
        let padded = encoded + String(repeating: "=", count: (4 - encoded.utf8.count % 4) % 4)
        #expect(Base64.encode(Array(plain.utf8)) == padded)
        #expect(Base64.decode(padded) == Array(plain.utf8))
    }

    @Test(arguments: ["Zh", "Z", "Zm9v=", "Zm9 v", "Zm9v\n", "Zm-_+", "Zg==="])
    func base64URLIsStrict(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }

    @Test(arguments: ["Zg=", "Z===", "=", "====", "Zm9v====", "Zm-_"])
    func base64IsStrict(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    /// Every byte value at every place of a group, and every length, against the definition written out in bits.
    @Test func base64IsWhatItsBitsSay() {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        func slowly(_ text: [UInt8]) -> [UInt8]? {
            var bits: [UInt8] = []
            for byte in text {
                guard let value = alphabet.firstIndex(of: byte) else { return nil }
                bits += (0..<6).reversed().map { UInt8(value >> $0 & 1) }
            }
            let whole = bits.count / 8 * 8
            guard text.count % 4 != 1, bits[whole...].allSatisfy({ $0 == 0 }) else { return nil }
            return stride(from: 0, to: whole, by: 8).map { start in bits[start..<start + 8].reduce(0) { $0 << 1 | $1 } }
        }
        for length in 0...9 {
            for place in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var text = (0..<length).map { alphabet[($0 * 16 + 48) % 64] }
                    text[place] = byte
                    #expect(Base64URL.decode(text.span) == slowly(text), "\(text)")
                }
            }
        }
    }

    @Test func base62KeepsItsWidth() {
        #expect(String(decoding: Base62.encode(0, width: 6), as: UTF8.self) == "000000")
        #expect(String(decoding: Base62.encode(UInt64(UInt32.max), width: 6), as: UTF8.self) == "4gfFC3")
    }

    @Test func crc32OfTheStandardsCheckValue() {
        #expect(CRC32.checksum(Array("123456789".utf8).span) == 0xcbf4_3926)
        #expect(CRC32.checksum([UInt8]().span) == 0)
    }

    @Test func hexadecimalReadsWhatItWrites() {
        #expect(Hexadecimal.encode([0, 15, 255]) == "000fff")
        #expect(Hexadecimal.decode("000fFF") == [0, 15, 255])
        #expect(Hexadecimal.decode("0") == nil)
        #expect(Hexadecimal.decode("0g") == nil)
    }
}

@Suite struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_795_394_521_250, "2026-11-23T00:42:01.250Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ])
    func readsWhatItWrites(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).rfc3339 == text)
        #expect(Timestamp(rfc3339: text) == Timestamp(milliseconds: milliseconds))
    }

    @Test func readsOffsetsFractionsAndDays() {
        #expect(Timestamp(rfc3339: "1970-01-01T01:00:00+01:00") == Timestamp(milliseconds: 0))
        #expect(Timestamp(rfc3339: "1969-12-31T23:59:59.5-00:00") == Timestamp(milliseconds: -500))
        #expect(Timestamp(rfc3339: "1970-01-02") == Timestamp(milliseconds: 86_400_000))
    }

    @Test(arguments: [
        "", "1970", "1970-02-29", "1970-13-01", "1970-01-01T24:00:00Z", "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z",
        "1970-01-01T00:60:00Z", "1970-01-01T00:00:00Zx", "1900-02-29", "1970-01-01T00:00:00+0100",
    ])
    func refuses(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func arithmeticClamps() {
        #expect(Timestamp(seconds: .max) == Timestamp(milliseconds: .max))
        #expect(Timestamp(milliseconds: .max) + .seconds(1) == Timestamp(milliseconds: .max))
        #expect(Timestamp(milliseconds: .min) - .seconds(1) == Timestamp(milliseconds: .min))
        #expect(Timestamp(milliseconds: -1).seconds == -1)
    }
}

@Suite struct SecretBytesTests {
    @Test func doesNotPrintItself() {
        let secret = SecretBytes(copying: Array("swordfish".utf8))
        #expect("\(secret)" == "SecretBytes(9)")
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("115"))
        #expect(secret.withUnsafeBytes { Array($0) } == Array("swordfish".utf8))
    }
}

@Suite struct WorkerPoolTests {
    @Test func runsWhatItAcceptedAndRefusesTheRest() async {
        let pool = WorkerPool(name: "test", threads: 1, capacity: 2)
        let (entered, enter) = AsyncStream.makeStream(of: Void.self)
        let gate = WorkerPool(name: "gate", threads: 1, capacity: 1)
        let held = HeldLock()
        held.lock()
        #expect(
            pool.submit {
                enter.yield()
                held.lock()
                held.unlock()
            })
        for await _ in entered { break }
        #expect(pool.submit {})
        #expect(pool.submit {})
        #expect(!pool.submit {})
        held.unlock()
        pool.stop()
        #expect(!pool.submit {})
        gate.stop()
    }
}

private final class HeldLock: Sendable {
    private let pipe: (read: Int32, write: Int32) = {
        var ends: [Int32] = [0, 0]
        _ = Glibc.pipe(&ends)
        var byte: UInt8 = 1
        _ = write(ends[1], &byte, 1)
        return (ends[0], ends[1])
    }()

    func lock() {
        var byte: UInt8 = 0
        _ = read(pipe.read, &byte, 1)
    }

    func unlock() {
        var byte: UInt8 = 1
        _ = write(pipe.write, &byte, 1)
    }
}
