extension Snapshot {
    /// Whether a route takes something of a host; one that names none takes of all.
    ///
    /// - Parameter host: canonical.
    public func hasRoute(on host: String) -> Bool {
        let bytes = Array(host.utf8)
        return !hosts.candidates(bytes.span, bytes.indices).isEmpty
    }
}
