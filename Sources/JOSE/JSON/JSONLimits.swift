/// How much JSON is read at all.
public struct JSONLimits: Sendable, Hashable {
    /// The length of the text.
    public var bytes: Int
    /// How deep arrays and objects may be nested; the outermost counts as one.
    public var depth: Int

    /// 8 kB and a depth of 8 unless said otherwise. The text is never longer than 16 MiB, the depth never more than 64.
    public init(bytes: Int = 8192, depth: Int = 8) {
        self.bytes = min(max(bytes, 0), 1 << 24)
        self.depth = min(max(depth, 0), 64)
    }
}
