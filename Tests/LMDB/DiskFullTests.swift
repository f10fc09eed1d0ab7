import Glibc
import Testing

@testable import LMDB

/// A disk of two megabytes.
private final class SmallDisk {
    let folder = TemporaryFolder()

    /// Nil when this user may not mount one.
    init?() {
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=2m") == 0 else { return nil }
    }

    /// Writes a file until nothing more fits.
    func fill() {
        let file = open("\(folder.path)/filler", O_WRONLY | O_CREAT, 0o600)
        defer { close(file) }
        let bytes = [UInt8](repeating: 0, count: 1024)
        while write(file, bytes, bytes.count) > 0 {}
    }

    func free() {
        unlink("\(folder.path)/filler")
    }

    deinit {
        umount2(folder.path, Int32(MNT_DETACH))
    }
}

@Suite struct DiskFullTests {
    @Test func aFullDiskRefusesWritesWhileReadsGoOn() throws {
        guard let disk = SmallDisk() else { return print("skipped: no right to mount a small disk") }
        let path = disk.folder.path
        let environment = try Environment.open(configuration(path))
        try put("one", "a", in: environment)
        let reader = try environment.makeReader()
        disk.fill()
        let large = String(repeating: "x", count: 64 << 10)
        for _ in 0..<3 { #expect(code { try put(large, "large", in: environment) } == .diskFull) }
        #expect(try reader.read { try Tables.notes.get("a", in: $0) } == Note("one"))
        // A loop more takes its place in the reader table although the disk has no block left for it.
        var readers: [Reader] = []
        for _ in 0..<500 { readers.append(try environment.makeReader()) }
        #expect(try readers.last?.read { try Tables.notes.get("large", in: $0) } == .some(nil))
        disk.free()
        try put(large, "large", in: environment)
        #expect(try get("large", in: environment) == large)
    }

    @Test func everyCallerOfAGroupWhoseCommitFailsIsTold() throws {
        guard let disk = SmallDisk() else { return print("skipped: no right to mount a small disk") }
        var patient = configuration(disk.folder.path)
        patient.groupDuration = .seconds(60)
        let environment = try Environment.open(patient)
        disk.fill()
        let hold = Gatekeeper()
        let codes = Monitor<[LMDBError.Code?]>([])
        environment.write({ _ in hold.wait() }, completion: { _ in })
        for number in 0..<10 {
            environment.write(
                { try Tables.notes.put(Note(String(repeating: "x", count: 9_000)), for: "\(number)", in: $0) },
                completion: { result in
                    codes.withLock { $0.append(code { try result.get() }) }
                    codes.wakeAll()
                })
        }
        hold.open()
        let found = codes.wait { $0.count == 10 ? $0 : nil }
        #expect(found == [LMDBError.Code?](repeating: .diskFull, count: 10))
        #expect(try environment.read { try Tables.notes.count(in: $0) } == 0)
        disk.free()
        try put("one", "a", in: environment)
    }

    @Test func aStoreOpensAndReadsOnAFullDisk() throws {
        guard let disk = SmallDisk() else { return print("skipped: no right to mount a small disk") }
        let path = disk.folder.path
        let first = try Environment.open(configuration(path))
        try put("one", "a", in: first)
        first.close()
        disk.fill()
        let environment = try Environment.open(configuration(path))
        #expect(try get("a", in: environment) == "one")
        environment.close()
        let other = TemporaryFolder()
        let empty = "\(path)/empty"
        mkdir(empty, 0o700)
        #expect(code { _ = try Environment.open(configuration(empty)) } == .diskFull)
        let source = try Environment.open(configuration(other.path))
        #expect(code { try source.backup(toFolder: "\(path)/backup") } == .diskFull)
        #expect(access("\(path)/backup/data.mdb", F_OK) != 0)
    }
}
