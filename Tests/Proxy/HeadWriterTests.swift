import NIOCore
import Testing

@testable import Proxy

@Suite struct HeadWriterTests {
    private func written(_ render: (inout HeadWriter) -> Void) -> String {
        var buffer = ByteBuffer()
        buffer.writeHead(render)
        return String(buffer: buffer)
    }

    @Test func piecesFollowEachOther() {
        let host = Array("wiki.example.com".utf8)
        let text = written { writer in
            writer.text("Host: ")
            writer.bytes(host)
            writer.bytes([])
            writer.bytes(UnsafeRawBufferPointer(start: nil, count: 0))
            writer.text("\r\n")
        }
        #expect(text == "Host: wiki.example.com\r\n")
    }

    @Test(arguments: [0, 7, 10, 404, 99_999_999, 100_000_000, Int.max]) func decimal(_ number: Int) {
        #expect(written { $0.decimal(number) } == String(number))
    }

    @Test func aNegativeNumberIsNothingToWrite() {
        #expect(written { $0.decimal(-1) } == "0")
    }

    @Test(arguments: [0, 1, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x9a9a_a9a9_0f0f_f0f0, UInt64.max])
    func hexadecimal(_ number: UInt64) {
        let digits = String(number, radix: 16)
        #expect(written { $0.hexadecimal(number) } == String(repeating: "0", count: 16 - digits.count) + digits)
        var buffer = ByteBuffer()
        buffer.writeHexadecimal(number)
        #expect(written { $0.hexadecimal(number) } == String(buffer: buffer))
    }

    /// Whatever room there is: the bytes are the same, and what stood before stays.
    @Test(arguments: [0, 1, 511, 512, 513, 1024, 40_000]) func aHeadThatDoesNotFitIsWrittenAgain(_ size: Int) {
        let value = Array(repeating: UInt8(ascii: "v"), count: size)
        var buffer = ByteBuffer(string: "before ")
        var times = 0
        buffer.writeHead { writer in
            times += 1
            writer.text("X: ")
            writer.bytes(value)
            writer.hexadecimal(0xff)
            writer.decimal(12)
        }
        #expect(times <= 2)
        #expect(String(buffer: buffer) == "before X: \(String(repeating: "v", count: size))00000000000000ff12")
    }

    @Test func nothingIsWrittenBeyondTheRoom() {
        var memory = Array(repeating: UInt8(ascii: "-"), count: 10)
        memory.withUnsafeMutableBytes { memory in
            var writer = HeadWriter(UnsafeMutableRawBufferPointer(rebasing: memory[..<6]))
            writer.text("four")
            writer.text("five.")
            writer.hexadecimal(1)
            writer.decimal(123)
            #expect(writer.count == 4 + 5 + 16 + 3)
        }
        #expect(String(decoding: memory, as: UTF8.self) == "four------")
    }

    @Test func countingBytesEightAtATime() {
        for length in 0...40 {
            for step in 1...9 {
                let bytes = (0..<length).map { index in
                    index % step == 0 ? UInt8(ascii: ".") : UInt8(truncatingIfNeeded: 0x2d + index)
                }
                let expected = bytes.count { $0 == UInt8(ascii: ".") }
                #expect(bytes.withUnsafeBytes { ByteSearch.count(UInt8(ascii: "."), in: $0) } == expected)
            }
        }
        let near: [UInt8] = [0x2e, 0x2f, 0x2d, 0xae, 0x2e, 0x00, 0xff, 0x2e]
        #expect(near.withUnsafeBytes { ByteSearch.count(0x2e, in: $0) } == 3)
    }
}
