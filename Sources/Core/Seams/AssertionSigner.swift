/// Makes the `Gatehouse-Assertion` of an identity for one app. One instance a loop, synchronous.
public protocol AssertionSigner: AnyObject {
    /// The compact JWS (`typ: gatehouse-assertion+jwt`), signed at most once per identity and audience in four minutes.
    ///
    /// - Parameter groups: what this app may be told; `groupsTruncated` says that some were left out for size.
    /// - Throws: when there is no usable key; the caller refuses with `store_unavailable`.
    func assertion(
        for identity: Identity, audience: String, groups: [String], groupsTruncated: Bool, at now: Timestamp
    ) throws -> [UInt8]
}
