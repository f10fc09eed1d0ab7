internal import Glibc

/// What can be the key of a row. Rows are kept in the order of the encoded bytes; 1 to 511 of them.
public protocol TableKey {
    /// How many bytes ``encode(into:)`` writes.
    var encodedCount: Int { get }
    /// Fills `bytes`, which has ``encodedCount`` bytes.
    func encode(into bytes: UnsafeMutableRawBufferPointer)
    /// Reads back what ``encode(into:)`` wrote; nil for anything else. The bytes are gone after the call.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Self?
}

extension TableKey {
    /// The encoded key.
    public var encoded: [UInt8] {
        withEncoded { Array($0) }
    }

    /// Lends the encoded key on the stack.
    @inline(__always)
    func withEncoded<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafeTemporaryAllocation(byteCount: encodedCount, alignment: 1) { bytes in
            encode(into: bytes)
            return try body(UnsafeRawBufferPointer(bytes))
        }
    }
}

extension String: TableKey {
    public var encodedCount: Int { utf8.count }

    public func encode(into bytes: UnsafeMutableRawBufferPointer) {
        if utf8.withContiguousStorageIfAvailable({ bytes.copyMemory(from: UnsafeRawBufferPointer($0)) }) == nil {
            bytes.copyBytes(from: utf8)
        }
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) -> String? {
        String(validating: bytes, as: UTF8.self)
    }
}

extension [UInt8]: TableKey {
    public var encodedCount: Int { count }

    public func encode(into bytes: UnsafeMutableRawBufferPointer) {
        bytes.copyBytes(from: self)
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        Array(bytes)
    }
}

/// Big endian, so that rows are in the order of their numbers.
extension UInt64: TableKey {
    public var encodedCount: Int { 8 }

    public func encode(into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: bigEndian, as: UInt64.self)
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        bytes.count == 8 ? UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)) : nil
    }
}

/// Two keys as one, ordered by the first and then by the second.
///
/// The first is written with each zero byte as `00 01` and ended by `00 00`, so no pair shares its bytes with another
/// one and the order stays; the second follows as it is.
public struct KeyPair<First: TableKey, Second: TableKey>: TableKey {
    /// Decides the order.
    public var first: First
    /// Decides it between equal first parts.
    public var second: Second

    /// A pair.
    public init(_ first: First, _ second: Second) {
        self.first = first
        self.second = second
    }

    /// What the keys of all pairs with this first part begin with.
    public static func prefix(_ first: First) -> [UInt8] {
        first.withEncoded { part in
            var result: [UInt8] = []
            result.reserveCapacity(part.count + 2)
            for byte in part {
                result.append(byte)
                if byte == 0 { result.append(1) }
            }
            result.append(0)
            result.append(0)
            return result
        }
    }

    public var encodedCount: Int {
        first.withEncoded { part in part.count + part.count { $0 == 0 } } + 2 + second.encodedCount
    }

    public func encode(into bytes: UnsafeMutableRawBufferPointer) {
        var position = 0
        first.withEncoded { part in
            for byte in part {
                bytes[position] = byte
                position += 1
                guard byte == 0 else { continue }
                bytes[position] = 1
                position += 1
            }
        }
        bytes[position] = 0
        bytes[position + 1] = 0
        second.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[(position + 2)...]))
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) -> KeyPair? {
        var part: [UInt8] = []
        var position = 0
        while position + 1 < bytes.count {
            let byte = bytes[position]
            position += 1
            guard byte == 0 else {
                part.append(byte)
                continue
            }
            let mark = bytes[position]
            position += 1
            if mark == 1 {
                part.append(0)
                continue
            }
            guard mark == 0, let first = part.withUnsafeBytes({ First.decode($0) }),
                let second = Second.decode(UnsafeRawBufferPointer(rebasing: bytes[position...]))
            else { return nil }
            return KeyPair(first, second)
        }
        return nil
    }
}

extension KeyPair: Equatable where First: Equatable, Second: Equatable {}
extension KeyPair: Hashable where First: Hashable, Second: Hashable {}
extension KeyPair: Sendable where First: Sendable, Second: Sendable {}
