internal import Core

/// Whether a request comes from a page of the same origin: what a write by cookie has to show (CSRF). A browser says it
/// in `Sec-Fetch-Site`; one that does not know that header sends `Origin` with every POST.
enum SameOrigin {
    /// - Parameter authority: nil: `Origin` must be `origin`; else its host and port must be this, whatever its scheme.
    static func holds(_ request: LocalRequest, origin: String, authority: String? = nil) -> Bool {
        let sites = request.values(of: "sec-fetch-site")
        if !sites.isEmpty { return sites == ["same-origin"] }
        let origins = request.values(of: "origin")
        guard origins.count == 1, let sent = origins.first else { return false }
        guard let authority else { return sent == origin }
        return sent == "https://" + authority || sent == "http://" + authority
    }
}

extension LocalRequest {
    /// All values of a header.
    ///
    /// - Parameter name: in lower case.
    func values(of name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// The only value of a header; nil when there is none, or more than one.
    func header(_ name: String) -> String? {
        let values = values(of: name)
        return values.count == 1 ? values.first : nil
    }
}
