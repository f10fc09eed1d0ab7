internal import Glibc

/// What is wrong with a page, without its number's table.
struct PageDamage: Error {
    let text: String

    init(_ page: UInt64, _ what: String) {
        text = "page \(page) \(what)"
    }
}

/// The pages of a store's file as they are on the disk, read without LMDB and without a map: LMDB trusts what it reads,
/// so that a damaged page ends the process by a signal, and so does a look behind the end of a file in a map.
///
/// The format is that of LMDB 0.9 (data version 1) on 64 bits, little endian:
///
/// ```
///   page   | number 8 | pad 2 | flags 2 | lower 2, upper 2 (or pages 4) | places 2 … | free | nodes …
///   meta   | page 16 | magic 4 | version 4 | address 8 | map size 8 | free tree 48 | main tree 48 | last page 8 | txn 8
///   tree   | pad 4 | flags 2 | depth 2 | branch 8 | leaf 8 | overflow pages 8 | entries 8 | root 8
///   node   | low 2 | high 2 | flags 2 | key size 2 | key … | value …
/// ```
final class PageFile {
    static let headerBytes = 16

    let pageSize: Int
    /// Whole pages in the file; what lies behind `lastPage` of the newest meta page may not have been written.
    let count: UInt64
    private let descriptor: Int32

    /// - Returns: nil when there is no file, or none whose first page is a meta page of this format: LMDB says so itself.
    /// - Throws: `corrupted` when it is one that LMDB must not open.
    init?(path: String) throws(LMDBError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        var first = [UInt8](repeating: 0, count: MetaPage.byteCount)
        guard fstat(descriptor, &status) == 0, pread(descriptor, &first, first.count, 0) == first.count,
            let meta = MetaPage(first)
        else {
            close(descriptor)
            return nil
        }
        guard (512...65_536).contains(meta.pageSize), meta.pageSize.nonzeroBitCount == 1 else {
            close(descriptor)
            throw LMDBError(.corrupted, "\(path): the size of the pages is damaged (restore a backup)")
        }
        self.descriptor = descriptor
        pageSize = meta.pageSize
        count = UInt64(max(0, status.st_size)) / UInt64(meta.pageSize)
        guard count >= 2 else {
            throw LMDBError(.corrupted, "\(path) was cut short (restore a backup)")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Both meta pages as they are now; fewer when one of them is none.
    func metaPages() throws(PageDamage) -> [MetaPage] {
        var pages: [MetaPage] = []
        for number in 0..<UInt64(2) {
            guard let meta = MetaPage(try bytes(of: number)), meta.pageSize == pageSize else {
                throw PageDamage(number, "is no meta page")
            }
            pages.append(meta)
        }
        return pages
    }

    /// - Parameter pages: how many in a row.
    func bytes(of number: UInt64, pages: Int = 1) throws(PageDamage) -> [UInt8] {
        guard number < count, UInt64(pages) <= count - number else {
            throw PageDamage(number, "lies behind the end of the file, which was cut short")
        }
        var bytes = [UInt8](repeating: 0, count: pages * pageSize)
        let start = off_t(number) * off_t(pageSize)
        var done = 0
        while done < bytes.count {
            let read = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done, start + off_t(done))
            }
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { throw PageDamage(number, "cannot be read from the disk") }
            done += read
        }
        return bytes
    }
}

/// One of the two pages that a commit writes in turn: where the trees begin.
struct MetaPage {
    static let byteCount = PageFile.headerBytes + 136
    private static let magic: UInt32 = 0xbeef_c0de

    let pageSize: Int
    let mapBytes: UInt64
    let freeTree: TreeRecord
    let mainTree: TreeRecord
    let lastPage: UInt64
    let transactionID: UInt64

    init?(_ page: [UInt8]) {
        guard page.count >= Self.byteCount, page.number(UInt16.self, at: 10) & PageFlags.meta != 0,
            page.number(UInt32.self, at: 16) == Self.magic, page.number(UInt32.self, at: 20) & 0xffff == 1
        else { return nil }
        pageSize = Int(page.number(UInt32.self, at: 40))
        mapBytes = page.number(UInt64.self, at: 32)
        freeTree = TreeRecord(page, at: 40)
        mainTree = TreeRecord(page, at: 88)
        lastPage = page.number(UInt64.self, at: 136)
        transactionID = page.number(UInt64.self, at: 144)
    }
}

/// What a meta page, or the main tree, says of a tree.
struct TreeRecord {
    static let byteCount = 48
    private static let none = UInt64.max

    let flags: UInt16
    let depth: Int
    let branchPages: UInt64
    let leafPages: UInt64
    let overflowPages: UInt64
    let entries: UInt64
    /// Nil for an empty tree.
    let root: UInt64?

    init(_ bytes: [UInt8], at offset: Int) {
        flags = bytes.number(UInt16.self, at: offset + 4)
        depth = Int(bytes.number(UInt16.self, at: offset + 6))
        branchPages = bytes.number(UInt64.self, at: offset + 8)
        leafPages = bytes.number(UInt64.self, at: offset + 16)
        overflowPages = bytes.number(UInt64.self, at: offset + 24)
        entries = bytes.number(UInt64.self, at: offset + 32)
        let root = bytes.number(UInt64.self, at: offset + 40)
        self.root = root == Self.none ? nil : root
    }
}

enum PageFlags {
    static let branch: UInt16 = 0x01
    static let leaf: UInt16 = 0x02
    static let overflow: UInt16 = 0x04
    static let meta: UInt16 = 0x08
    /// Marks of a running transaction, which mean nothing on the disk.
    static let transient: UInt16 = 0x10 | 0x4000 | 0x8000
}

extension [UInt8] {
    /// Little endian; the caller has looked that it is there.
    func number<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
        withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
    }
}
