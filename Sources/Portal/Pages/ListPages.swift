internal import Accounts

/// Lists on pages are shown in parts, newest first, so that a page stays small however many there are.
extension PortalRequest {
    /// So many of a list stand on one page.
    static let shownAtOnce = 25

    /// A part of a list. A place in it that there is not, or not any more, is its beginning: a page says no more of it.
    ///
    /// - Parameter part: reads behind an id, or from the newest on.
    func shownPart<Item>(
        _ part: (_ before: String?) throws(AccountsError) -> ListPage<Item>
    ) throws(AccountsError) -> (page: ListPage<Item>, isNewest: Bool) {
        guard let before = query()["before"] else { return (try part(nil), true) }
        do {
            return (try part(before), false)
        } catch {
            guard error.code == .invalid else { throw error }
            return (try part(nil), true)
        }
    }

    /// The ways to the other parts of the list of a tab.
    ///
    /// - Parameters:
    ///   - next: what `before` is then; nil: there are no older ones.
    ///   - isNewest: this is the first part.
    func otherParts(of tab: Tab, next: String?, isNewest: Bool) -> [String: Any] {
        var values: [String: Any] = [:]
        if let next { values["older"] = "\(tab.path)?before=\(FormFields.escape(next))" }
        if !isNewest { values["newest"] = tab.path }
        return values
    }
}
