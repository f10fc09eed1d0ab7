internal import CLMDB
internal import Glibc

/// Which file systems can hold a store: LMDB needs one whose memory maps and locks every process sees at once.
enum FileSystemKind {
    private static let fuse = 0x6573_5546
    private static let network: [Int: String] = [
        0x6969: "NFS", 0x517B: "SMB", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB2", 0x5346_414F: "AFS",
        0x6B41_4653: "AFS", 0x7375_7245: "Coda", 0x564C: "NCP", 0x0102_1997: "9P", 0x00C3_6400: "Ceph",
        0x0BD0_0BD0: "Lustre", 0x4750_4653: "GPFS", 0x7461_636F: "OCFS2", 0x0116_1970: "GFS2", 0x1983_0326: "BeeGFS",
    ]

    /// The name of the network file system, or nil when a store may live there.
    ///
    /// - Parameters:
    ///   - type: `f_type` of statfs.
    ///   - subtype: what `mountinfo` calls it (`fuse.sshfs`); asked for only behind FUSE.
    static func network(type: Int, subtype: () -> String?) -> String? {
        let type = type & 0xFFFF_FFFF
        if let name = network[type] { return name }
        guard type == fuse else { return nil }
        let name = subtype() ?? "fuse"
        // The root of a rootless container; everything else behind FUSE answers for a server somewhere.
        return name == "fuse.fuse-overlayfs" || name == "fuseblk" ? nil : name
    }

    static func refuseNetwork(_ folder: String) throws(LMDBError) {
        let type = clmdb_file_system_type(folder)
        guard type != -1 else { throw .system("looking at the file system of \(folder)") }
        guard let name = network(type: type, subtype: { mountedType(of: folder) }) else { return }
        throw LMDBError(
            .networkFileSystem, "\(folder) is on a network file system (\(name)): put data_dir on a local disk")
    }

    /// The type in `/proc/self/mountinfo` of the device that holds `folder`.
    static func mountedType(of folder: String) -> String? {
        var status = stat()
        guard stat(folder, &status) == 0, let table = SmallFile.read("/proc/self/mountinfo", atMost: 1 << 20) else {
            return nil
        }
        return mountedType(device: "\(clmdb_major(status.st_dev)):\(clmdb_minor(status.st_dev))", table: table)
    }

    static func mountedType(device: String, table: String) -> String? {
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2, fields[2] == device, let dash = fields.firstIndex(of: "-") else { continue }
            guard dash + 1 < fields.count else { continue }
            return String(fields[dash + 1])
        }
        return nil
    }
}

/// Files that fit into memory.
enum SmallFile {
    static func read(_ path: String, atMost limit: Int) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return read(file, atMost: limit)
    }

    static func read(_ file: Int32, atMost limit: Int) -> String? {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < limit {
            let count = Glibc.read(file, &part, min(part.count, limit - bytes.count))
            if count < 0 { return nil }
            if count == 0 { break }
            bytes.append(contentsOf: part[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
