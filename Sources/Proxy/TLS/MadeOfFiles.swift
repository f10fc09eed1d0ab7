import Synchronization

/// Something that is made of files and made again when one of them changes. What cannot be made leaves the old one in
/// force.
///
/// Read when a connection begins, never for a request; `refresh` belongs on a thread that may wait for the disk.
final class MadeOfFiles<Product: Sendable>: Sendable {
    private struct State: Sendable {
        var product: Product
        var stamps: [FileStamp?]
    }

    private let paths: [String]
    private let make: @Sendable () throws(ProxyError) -> Product
    private let state: Mutex<State>

    /// - Throws: what `make` throws the first time.
    init(_ paths: [String], make: @escaping @Sendable () throws(ProxyError) -> Product) throws(ProxyError) {
        self.paths = paths
        self.make = make
        // Looked at before they are read: what changes in between is seen as a change.
        let stamps = paths.map { FileStamp(of: $0) }
        state = Mutex(State(product: try make(), stamps: stamps))
    }

    var product: Product { state.withLock { $0.product } }

    /// Looks at the files, and makes the product again if one is another than before.
    ///
    /// - Returns: whether it was made again.
    /// - Throws: when it could not be made; it is tried again when a file changes the next time.
    func refresh() throws(ProxyError) -> Bool {
        let stamps = paths.map { FileStamp(of: $0) }
        let isChanged = state.withLock { state in
            guard state.stamps != stamps else { return false }
            state.stamps = stamps
            return true
        }
        guard isChanged else { return false }
        let product = try make()
        state.withLock { $0.product = product }
        return true
    }
}
