import Glibc
import NIOPosix
import Testing

@testable import Proxy

/// Each file of `HTTP2Frames`, sent to a whole server by a plain socket.
struct FrameTests {
    static let folder = String(#filePath.dropLast("/HTTP2/FrameTests.swift".count)) + "/HTTP2Frames/"

    static let names: [String] = {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".frames") { names.append(String(name.dropLast(".frames".count))) }
        }
        return names.sorted()
    }()

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private static let settings = FrameCase.header(0, 4, 0, 0)
    private static let sign: [UInt8] = Array("gatehous".utf8)

    @Test func thereAreCases() {
        #expect(Self.names.count >= 50)
    }

    @Test(arguments: names)
    func frames(_ name: String) async throws {
        let text = try #require(Self.read(Self.folder + name + ".frames"))
        let frames = try FrameCase(text)
        let origin =
            frames.isStuck
            ? Origin { connection, _ in
                var hold: [UInt8] = [0]
                while !hold.isEmpty { hold = (try? connection.readNow(1)) ?? [0] }
            } : .answering()
        try await withHarness(try await Harness(origin: origin)) { harness in
            let client = try harness.connect()
            let problem = try await NIOThreadPool.singleton.runIfActive { try Self.run(frames, client) }
            #expect(problem == nil, "\(name): \(problem ?? "")")
        }
    }

    /// - Returns: what was missing, in words.
    private static func run(_ frames: FrameCase, _ client: RawClient) throws -> String? {
        var reader = FrameReader()
        func wait(for expectations: [FrameCase.Expectation]) throws -> Bool {
            while !expectations.contains(where: reader.seen.contains) {
                if reader.isClosed { return false }
                guard let bytes = try? client.readNow() else { return false }
                try reader.take(bytes)
            }
            return true
        }
        if !frames.isRaw { client.writeNow(preface + (frames.isBare ? [] : settings)) }
        for step in frames.steps {
            switch step {
            case .send(let bytes): client.writeNow(bytes)
            case .await(let expectation):
                guard try wait(for: [expectation]) else { return "waited for \(expectation): \(reader.log)" }
            }
        }
        for alternatives in frames.expected {
            var wanted = alternatives
            if wanted == [.alive] {
                client.writeNow(FrameCase.header(8, 6, 0, 0) + sign)
                wanted = [.ping(sign)]
            }
            guard try wait(for: wanted) else { return "\(alternatives) did not come: \(reader.log)" }
            // An error of the connection is its end.
            if case .connectionError? = wanted.first(where: reader.seen.contains) {
                guard try wait(for: [.closed]) else { return "the connection stays: \(reader.log)" }
            }
        }
        return nil
    }

    static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
