internal import Accounts
internal import Core
internal import LMDB

/// The metrics that are not the front's, as Prometheus text.
enum StoreMetrics {
    static func render(
        _ store: Store, _ decisions: DecisionLog, _ limiter: RateLimiter, _ sessions: LiveSessionCount,
        _ reload: LastReload, mailsInHand: Int, providers: [String]
    ) -> String {
        let information = store.environment.information
        var text = ""
        func add(_ name: String, _ kind: String, _ help: String, _ value: String, labels: String = "") {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n\(name)\(labels) \(value)\n"
        }
        if let live = try? sessions.value() {
            add("gatehouse_sessions", "gauge", "Sessions that a request could use now.", "\(live)")
        }
        add(
            "gatehouse_build_info", "gauge", "Which program this is.", "1",
            labels: "{version=\"\(Build.version)\",schema=\"\(Build.schema)\"}")
        add("gatehouse_store_map_used_bytes", "gauge", "Bytes of the store in use.", "\(information.usedBytes)")
        add("gatehouse_store_map_bytes", "gauge", "Bytes that the store may grow to.", "\(information.mapBytes)")
        add("gatehouse_store_write_queue", "gauge", "Writes that wait.", "\(information.writeQueueDepth)")
        add(
            "gatehouse_store_commit_seconds", "gauge", "How long the last commit took.",
            "\(information.lastCommitSeconds)")
        add(
            "gatehouse_audit_lost_total", "counter", "Refusals that could not be kept for the audit log.",
            "\(decisions.lost)")
        if let counts = try? store.outboxCounts() {
            let name = "gatehouse_outbox"
            text += "# HELP \(name) Mails and events that were not handed over yet.\n# TYPE \(name) gauge\n"
            text += "\(name){state=\"queued\"} \(max(0, counts.queued - mailsInHand))\n"
            text += "\(name){state=\"sending\"} \(mailsInHand)\n\(name){state=\"failed\"} \(counts.failed)\n"
        }
        add(
            "gatehouse_config_last_reload_success", "gauge",
            "1: the last configuration that was read is in force; 0: it was refused.", reload.success ? "1" : "0")
        add(
            "gatehouse_config_last_reload_timestamp_seconds", "gauge", "When a configuration was last read.",
            "\(reload.at.seconds)")
        return text + signIns(store.signInCounts + limiter.signInCounts, providers: providers)
    }

    /// - Parameter providers: the ids of those that are configured; each has a row from the start.
    static func signIns(_ counts: [SignInCount], providers: [String]) -> String {
        let name = "gatehouse_sign_ins_total"
        var rows: [String: UInt64] = [:]
        for provider in providers {
            rows["method=\"oauth:\(provider)\",outcome=\"success\",reason=\"\""] = 0
        }
        for row in counts {
            let labels = row.labels
            let outcome = labels.success ? "success" : "failure"
            let text = "method=\"\(labels.method)\",outcome=\"\(outcome)\",reason=\"\(labels.reason)\""
            rows[text, default: 0] += row.count
        }
        var text = "# HELP \(name) Sign-ins, and attempts to.\n# TYPE \(name) counter\n"
        for (labels, count) in rows.sorted(by: { $0.key < $1.key }) { text += "\(name){\(labels)} \(count)\n" }
        return text
    }
}
