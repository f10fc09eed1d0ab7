internal import Accounts
internal import Logging
internal import Synchronization

/// The server's side of the control socket, from before it starts until its store is closed: whoever wants to hand a
/// master key over has to find everybody who seals.
final class ServerControl: Sendable {
    private let store: Store
    private let folder: String
    private let log: Logger
    private let socket = Mutex<ControlSocket?>(nil)
    private let reloader = Mutex<Reloader?>(nil)

    init(_ store: Store, folder: String, log: Logger) {
        self.store = store
        self.folder = folder
        self.log = log
    }

    /// Answers from now on, unless it does already.
    ///
    /// - Parameter unlessAnswered: leaves the name to another server of the folder: one that fails to start must not
    ///   have taken it away.
    /// - Returns: whether it has begun to answer.
    @discardableResult
    func listen(unlessAnswered: Bool) -> Bool {
        guard socket.withLock({ $0 == nil }), !(unlessAnswered && ControlSocket.isAnswered(in: folder)) else {
            return false
        }
        do {
            let made = try ControlSocket.listen(
                in: folder,
                .init(
                    reload: { [weak self] cause in await self?.reload(cause) ?? .stopping },
                    adopt: { [store, log] key in
                        try store.adopt(handover: key)
                        log.notice("secrets are sealed under another master key from now on")
                    }))
            socket.withLock { $0 = made }
            return true
        } catch {
            // The server itself is none the worse for it: SIGHUP still works.
            log.warning(
                "`gatehouse reload` and `gatehouse master-key rotate` will not reach this server",
                metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Answers under the folder's name again when another server has taken it and ended since. To be called now and then.
    func takeNameBack() {
        guard let lost = socket.withLock({ $0 }), !lost.hasName, !ControlSocket.isAnswered(in: folder) else { return }
        socket.withLock { $0 = nil }
        lost.close()
        if listen(unlessAnswered: true) { log.notice("commands reach this server again: the other one has ended") }
    }

    /// Has this one do reloads from now on.
    func take(_ reloader: Reloader) {
        self.reloader.withLock { $0 = reloader }
    }

    func reload(_ cause: ReloadCause) async -> ReloadReport {
        guard let reloader = reloader.withLock({ $0 }) else { return .starting }
        return await reloader.reload(cause)
    }

    /// Takes no more reloads; what waits is still done.
    func finishReloads() {
        reloader.withLock { $0 }?.finish()
    }

    /// Returns when the last reload is done.
    func endReloads() async {
        await reloader.withLock { $0 }?.end()
    }

    /// Answers nobody any more.
    func close() {
        let ending = socket.withLock { socket in
            defer { socket = nil }
            return socket
        }
        ending?.close()
    }
}

extension ReloadReport {
    /// What is answered when it is too early.
    static let starting = ReloadReport(
        reloaded: false, configuration: "", errors: ["the server is starting: run this again when it has"])
}
