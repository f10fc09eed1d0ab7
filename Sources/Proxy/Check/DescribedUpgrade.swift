import Core
import HTTPWire
import Policy

extension FrontHandler {
    /// Takes the session away from an Upgrade that a page of somebody else has begun, as the inline proxy does: a browser
    /// sends its cookies along with a WebSocket that any page opens.
    ///
    /// What the proxy does with `Upgrade` in its question differs (nginx drops it), so the fields that every WebSocket
    /// handshake has tell as well. `Origin` is held against the host that was described: the question's own is ours.
    func withoutForeignUpgrade(
        _ resolved: Resolved, _ incoming: borrowing Incoming, _ description: CheckDescription, _ route: Route?
    ) -> Resolved {
        guard case .identity(let identity) = resolved.state, case .session = identity.origin,
            Self.describesUpgrade(incoming), !isFromOwnPage(incoming, route, host: description.host)
        else { return resolved }
        return Resolved(state: .none, removed: resolved.removed, filtered: resolved.filtered)
    }

    private static func describesUpgrade(_ incoming: borrowing Incoming) -> Bool {
        if incoming.head.upgrade != nil { return true }
        for field in incoming.head.fields {
            switch field.id {
            case .upgrade, .secWebSocketKey: return true
            case .secFetchMode:
                if ASCIIText.equalsIgnoringCase(field.value.bytes(in: incoming.bytes), "websocket") { return true }
            default: continue
            }
        }
        return false
    }
}
