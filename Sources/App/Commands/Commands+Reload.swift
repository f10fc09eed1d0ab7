internal import Settings

extension Commands {
    /// `reload`: asks the running server, whose answer it is that counts. Only where the server is found is read here;
    /// what is wrong with the rest of the file, the server says.
    public static func reload(_ invocation: Invocation) throws {
        let folder = try invocation.dataFolder()
        let actor = "cli:" + ProcessEnvironment.userName
        try ProcessEnvironment.becomeOwner(of: folder)
        let report: ReloadReport = try ControlSocket.ask(folder: folder, .init(command: "reload", actor: actor))
        let output = Output(json: invocation.json)
        if invocation.json || report.reloaded { try output.value(report) { text(report) } }
        for warning in report.warnings { Output.standardError("warning: \(warning)\n") }
        guard report.reloaded else {
            let reasons = invocation.json ? [] : ["refused; the old configuration stays in force"] + report.errors
            throw CommandFailure(.failed, reasons.joined(separator: "\n"))
        }
    }

    private static func text(_ report: ReloadReport) -> String {
        var lines = ["\(report.configuration) is in force."]
        if report.changed.isEmpty { lines.append("Nothing differs.") }
        lines += report.changed.map { "  changed: \($0)" }
        lines += report.needsRestart.map { "  \($0): needs a restart; the old value stays" }
        return lines.joined(separator: "\n")
    }
}
