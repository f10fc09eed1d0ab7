import Synchronization

/// Something that is made of files and made again when one of them changes. What cannot be made leaves the old one in
/// force.
///
/// Read when a connection begins, never for a request; `refresh` belongs on a thread that may wait for the disk.
final class MadeOfFiles<Product: Sendable>: Sendable {
    private struct State: Sendable {
        var product: Product
        /// Of the files that it is made of.
        var stamps: [FileStamp?]
        /// What was wrong with others the last time, and which those were.
        var refused: (stamps: [FileStamp?], problem: String)?
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

    /// Looks at the files, and makes the product again if one is another than those that it is made of. What could not be
    /// made is tried at every look: it may have been for want of a descriptor, and nobody writes the files once more for
    /// that.
    ///
    /// - Returns: whether it was made again.
    /// - Throws: when it could not be made; once for the same problem with the same files, false afterwards.
    func refresh() throws(ProxyError) -> Bool {
        let stamps = paths.map { FileStamp(of: $0) }
        let (isChanged, refused) = state.withLock { ($0.stamps != stamps, $0.refused) }
        guard isChanged else { return false }
        do throws(ProxyError) {
            let product = try make()
            state.withLock { state in
                state.product = product
                state.stamps = stamps
                state.refused = nil
            }
            return true
        } catch {
            if let refused, refused.stamps == stamps, refused.problem == error.message { return false }
            state.withLock { $0.refused = (stamps, error.message) }
            throw error
        }
    }

    /// The files are those that it is made of.
    var isUpToDate: Bool { state.withLock { $0.stamps } == paths.map { FileStamp(of: $0) } }
}
