internal import Accounts
internal import Core

/// Which part of a list is wanted (`limit` and `before`).
struct ListPart {
    let limit: Int
    /// As it came; nil: from the newest on.
    let before: String?
}

extension PortalRequest {
    /// - Throws: 400 for a query that cannot be read, and for a `limit` that is no number from 1 to the most.
    func listPart() throws(PortalFailure) -> ListPart {
        guard let query = local.query else { return ListPart(limit: ListLimits.usual, before: nil) }
        guard let fields = FormFields(parsing: Array(query.utf8)) else {
            throw PortalFailure(status: 400, code: "invalid_request", detail: "The query cannot be read.")
        }
        var limit = ListLimits.usual
        if let text = fields["limit"] {
            guard let number = Self.wholeNumber(text), (1...UInt64(ListLimits.longest)).contains(number) else {
                throw PortalFailure(
                    status: 400, code: "invalid_request", detail: "limit is a number from 1 to \(ListLimits.longest).")
            }
            limit = Int(number)
        }
        return ListPart(limit: limit, before: fields["before"])
    }

    /// A part of a list as a bare array, with the place of the next part in `Link` (RFC 8288).
    ///
    /// - Parameter next: what `before` is then; letters and digits of ours.
    func json(_ items: [some Encodable], _ part: ListPart, next: String?) throws -> Answer {
        var answer = try json(items)
        if let next {
            let target = "\(configuration.publicURL)\(local.path)?limit=\(part.limit)&before=\(FormFields.escape(next))"
            answer.headers.append(("Link", "<\(target)>; rel=\"next\""))
        }
        return answer
    }
}
