import Core
import NIOCore
import Testing

@testable import Proxy

@Suite struct ProxyProtocolTests {
    static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

    static func header(
        command: UInt8 = 0x21, family: UInt8, payload: [UInt8], length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? payload.count
        return signature + [command, family, UInt8(length >> 8 & 0xff), UInt8(length & 0xff)] + payload
    }

    static let v4 = header(family: 0x11, payload: [192, 0, 2, 7, 198, 51, 100, 1, 0xd4, 0x31, 1, 187])
    static let v6 = header(
        family: 0x21,
        payload: [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [9]
            + [UInt8](repeating: 1, count: 16) + [0, 80, 1, 187])
    static let unix = header(family: 0x31, payload: [UInt8](repeating: 47, count: 216))
    static let local = header(command: 0x20, family: 0x11, payload: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    static let all = [v4, v6, unix, local, v4TLVs]
    /// With two TLVs behind the addresses.
    static let v4TLVs = header(
        family: 0x11,
        payload: [192, 0, 2, 7, 198, 51, 100, 1, 0xd4, 0x31, 1, 187, 3, 0, 4, 1, 2, 3, 4, 4, 0, 1, 0])

    func parse(_ bytes: [UInt8]) -> ProxyProtocolHeader.Outcome {
        bytes.withUnsafeBytes { ProxyProtocolHeader.parse($0) }
    }

    @Test func families() throws {
        let address = try #require(IPAddress("192.0.2.7"))
        #expect(parse(Self.v4) == .complete(.address(address, port: 54321), length: 28))
        #expect(parse(Self.v4TLVs) == .complete(.address(address, port: 54321), length: 39))
        let six = try #require(IPAddress("2001:db8::9"))
        #expect(parse(Self.v6) == .complete(.address(six, port: 80), length: 52))
        #expect(parse(Self.unix) == .complete(.unknown, length: 232))
        #expect(parse(Self.local) == .complete(.socket, length: 28))
        // UNSPEC is somebody, and not the proxy itself.
        #expect(parse(Self.header(family: 0, payload: [])) == .complete(.unknown, length: 16))
        #expect(parse(Self.header(family: 0, payload: [1, 2, 3])) == .complete(.unknown, length: 19))
        // Whatever a LOCAL connection says of a family.
        #expect(parse(Self.header(command: 0x20, family: 0xff, payload: [])) == .complete(.socket, length: 16))
    }

    @Test func whatFollowsIsNotLookedAt() {
        for header in Self.all {
            guard case .complete(let source, let length) = parse(header) else {
                Issue.record("not complete: \(header)")
                continue
            }
            #expect(length == header.count)
            #expect(parse(header + Array("GET / HTTP/1.1\r\n".utf8)) == .complete(source, length: length))
        }
    }

    @Test func everyBeginningWantsMore() {
        for header in Self.all {
            for count in 0..<header.count {
                #expect(parse(Array(header[..<count])) == .needMore, "\(count) bytes of \(header.count)")
            }
        }
    }

    @Test func refusals() {
        #expect(parse(Array("GET / HTTP/1.1\r\n".utf8)) == .refused(.absent))
        #expect(parse([0x16, 3, 1]) == .refused(.absent))
        #expect(parse(Array("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n".utf8)) == .refused(.versionOne))
        #expect(parse(Array("PROX".utf8)) == .needMore)
        #expect(parse(Array("PRIVET".utf8)) == .refused(.absent))
        #expect(parse(Self.header(command: 0x11, family: 0x11, payload: Array(Self.v4[16...]))) == .refused(.version))
        #expect(parse(Self.header(command: 0x22, family: 0x11, payload: Array(Self.v4[16...]))) == .refused(.command))
        for family: UInt8 in [0x10, 0x12, 0x01, 0x22, 0x32, 0x41, 0xff] {
            #expect(
                parse(Self.header(family: family, payload: [UInt8](repeating: 0, count: 216))) == .refused(.family))
        }
        #expect(parse(Self.header(family: 0x11, payload: [1, 2, 3])) == .refused(.tooShort))
        #expect(parse(Self.header(family: 0x21, payload: [UInt8](repeating: 0, count: 35))) == .refused(.tooShort))
        #expect(parse(Self.header(family: 0x31, payload: [UInt8](repeating: 0, count: 215))) == .refused(.tooShort))
        #expect(parse(Self.header(family: 0x11, payload: [], length: 4097)) == .refused(.tooLong))
        #expect(parse(Self.header(command: 0x20, family: 0, payload: [], length: 65535)) == .refused(.tooLong))
        #expect(parse(Self.header(family: 0x11, payload: [], length: 4096)) == .needMore)
    }

    /// Every byte with every value: an answer, never a trap, and never more bytes than there are.
    @Test func mutatedBytes() {
        for header in Self.all {
            for place in header.indices {
                for value in UInt8.min...UInt8.max {
                    var bytes = header
                    bytes[place] = value
                    guard case .complete(_, let length) = parse(bytes) else { continue }
                    #expect(length <= bytes.count)
                }
            }
        }
    }

    @Test func socketAddresses() throws {
        for text in ["192.0.2.7", "2001:db8::9", "::1"] {
            let address = try #require(IPAddress(text))
            let made = try #require(SocketAddress(address, port: 4711))
            #expect(Peer(made, trusted: TrustedProxies()).address == address)
            #expect(made.port == 4711)
        }
    }
}

@Suite struct ClientConnectionsTests {
    private func client(_ text: String) throws -> ClientConnections.Client {
        ClientConnections.Client(try #require(IPAddress(text)))
    }

    @Test func countsPerClient() throws {
        let table = ClientConnections()
        let one = try client("192.0.2.1")
        let other = try client("192.0.2.2")
        #expect(table.take(one, maximum: 2, now: 0) == .taken)
        #expect(table.take(one, maximum: 2, now: 0) == .taken)
        #expect(table.take(one, maximum: 2, now: 0) == .refused(isNews: true))
        #expect(table.take(one, maximum: 2, now: 59_999) == .refused(isNews: false))
        #expect(table.take(one, maximum: 2, now: 60_000) == .refused(isNews: true))
        #expect(table.take(other, maximum: 2, now: 0) == .taken)
        table.giveBack(one)
        #expect(table.take(one, maximum: 2, now: 0) == .taken)
        #expect(table.count == 2)
        for _ in 0..<2 { table.giveBack(one) }
        table.giveBack(other)
        #expect(table.count == 0)
        table.giveBack(other)
        #expect(table.count == 0)
    }

    @Test func aNetworkOf64BitsIsOneClient() throws {
        #expect(try client("2001:db8:1:2::1") == client("2001:db8:1:2:ffff::9"))
        #expect(try client("2001:db8:1:2::1") != client("2001:db8:1:3::1"))
        #expect(try client("::ffff:192.0.2.1") == client("192.0.2.1"))
        // The first 64 bits of one and all bits of the other are the same number.
        #expect(try client("0:0:c000:201::") != client("192.0.2.1"))
    }

    @Test func rareLogIsBounded() {
        var log = RareLog()
        let said = [("a", 0), ("a", 59_999), ("a", 60_000)].map { log.mayTell($0.0, at: $0.1) }
        #expect(said == [true, false, true])
        for number in 0..<1000 { _ = log.mayTell("\(number)", at: 60_000) }
        let later = [60_001, 200_000].map { log.mayTell("new", at: $0) }
        #expect(later == [false, true])
    }
}
