/// Bytes that must not be printed and do not outlive their use: they are overwritten when the last reference goes.
public final class SecretBytes: Sendable, CustomStringConvertible, CustomReflectable {
    // Written only by `init` and `deinit`, when nobody else can hold a reference.
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer

    /// Copies `bytes`; the caller's own copy is the caller's to clear.
    public init(copying bytes: some Collection<UInt8>) {
        storage = .allocate(byteCount: bytes.count, alignment: 16)
        storage.copyBytes(from: bytes)
    }

    deinit {
        for index in storage.indices { storage.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
        storage.deallocate()
    }

    /// How many bytes there are.
    public var count: Int { storage.count }

    /// Lends the bytes for the time of `body`; they must not leave it.
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(storage))
    }

    /// Never the content.
    public var description: String { "SecretBytes(\(count))" }

    /// Never the content.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
