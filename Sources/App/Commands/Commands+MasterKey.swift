internal import Accounts
internal import Core
internal import Glibc
internal import Settings

extension Commands {
    /// `master-key rotate`: hands the new key to the running server, so that nothing is sealed under the old one any
    /// more, and then seals everything anew. To run it again goes on where it was stopped.
    public static func rotateMasterKey(_ invocation: Invocation, new path: String) throws {
        // Before this process becomes the owner of the data folder, who may not see the file.
        let key = try MasterKeys.parse(try secretBytes(path))
        let context = try invocation.context(readingMasterKey: true)
        var configuration = try context.storeConfiguration(readingMasterKey: true)
        guard let configured = configuration.masterKeys else {
            throw CommandFailure(.usage, "the master key is missing; `gatehouse keygen --out FILE` makes one")
        }
        let isConfigured = try configured.isCurrent(key)
        let keys = try configured.adding(key)
        let isHandedOver = try handOver(keys, key, context)
        configuration.masterKeys = keys
        let store = try open(configuration, alone: !isHandedOver)
        defer { store.close() }
        let report = try store.rotateMasterKey(by: context.actor) { done in
            if !context.output.json, done > 0 { Output.standardError("\(done) secrets\n") }
        }
        try context.output.value(report) {
            var lines = ["\(report.total) secrets were sealed anew; everything is under key \(report.key)."]
            if isHandedOver { lines.append("The running server seals under it as well.") }
            if !isConfigured {
                lines.append("Now make \(path) the `master_key` and the old one one of `previous_master_keys`.")
            }
            lines.append(
                "The old key opens backups and checkpoints that were made before; else nothing needs it any more.")
            return lines.joined(separator: "\n")
        }
        guard report.unreadable.isEmpty else {
            throw CommandFailure(
                .failed,
                "no key that is configured opens: \(report.unreadable.joined(separator: ", ")). Name the key that "
                    + "sealed them among `previous_master_keys` and run this again")
        }
    }

    /// - Returns: whether there is a server.
    private static func handOver(_ keys: MasterKeys, _ key: SecretBytes, _ context: CommandContext) throws -> Bool {
        let folder = context.settings.dataFolder
        let question = ControlSocket.Question(
            command: "master-key", actor: context.actor.name, key: try keys.handover(of: key))
        let answer: ControlSocket.Handover? = try ControlSocket.askIfThere(
            folder: folder, question,
            unanswered: "the new key may have been taken, and secrets be sealed under it: keep this file and run this "
                + "again")
        guard let answer else { return false }
        if let error = answer.error { throw CommandFailure(.failed, "the running server did not take it: \(error)") }
        return true
    }

    /// - Parameter alone: no server has taken the key. One that could not be asked (it is starting or ending, or has lost
    ///   its socket) would go on sealing under the old one, so nobody may have the store open.
    private static func open(_ configuration: Store.Configuration, alone: Bool) throws -> Store {
        var configuration = configuration
        configuration.exclusive = alone
        do {
            return try Store.open(configuration, clock: SystemClock())
        } catch {
            guard alone, error.code == .store else { throw error }
            throw CommandFailure(
                .failed,
                "no server answers on \(configuration.dataFolder), so the store is needed alone: nothing was changed. "
                    + "\(error)")
        }
    }

    /// A file that holds a secret, as the configuration reads one.
    private static func secretBytes(_ path: String) throws -> [UInt8] {
        var status = stat()
        if path != "-", stat(path, &status) == 0, status.st_mode & 0o077 != 0 {
            throw CommandFailure(.failed, "the secret file \(path) may be read by others; chmod 0600 mends it")
        }
        return try TextFile.bytes(path)
    }
}
