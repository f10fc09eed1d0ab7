import Core
import NIOCore
import Policy

/// The front's part of `/metrics`, in Prometheus' text format: gathers every loop's numbers on that loop.
struct Exposition: Sendable {
    let loops: [NIOLoopBound<ProxyLoop>]
    let clock: any WallClock
    let more: @Sendable () async -> String
    let expiries: @Sendable () -> [CertificateExpiry]

    /// One loop's numbers.
    struct Sample: Sendable {
        let counters: LoopCounters
        let connections: [(idle: Int, active: Int)]
        /// What all loops know of them alike.
        var servers: [UpstreamServers] = []
        /// By the names of routes.
        let tunnels: [String: Int]
        /// Client connections that are open.
        var open = 0
    }

    func text() async -> String {
        var samples: [Sample] = []
        for loop in loops {
            let sample = try? await loop.eventLoop.submit {
                Sample(
                    counters: loop.value.counters, connections: loop.value.pools.map(\.connections),
                    servers: loop.value.pools.map(\.servers), tunnels: loop.value.tunnels,
                    open: loop.value.connectionCount)
            }.get()
            if let sample { samples.append(sample) }
        }
        return Self.render(samples) + Self.render(expiries(), at: clock.now()) + (await more())
    }

    static func render(_ samples: [Sample]) -> String {
        var out = ""
        renderRequests(samples, &out)
        renderSeconds(samples, &out)
        renderUpstreams(samples, &out)
        renderTunnels(samples, &out)
        renderConnections(samples, &out)
        return out
    }

    private static func renderConnections(_ samples: [Sample], _ out: inout String) {
        out += "# HELP gatehouse_connections Connections of clients that are open.\n"
        out += "# TYPE gatehouse_connections gauge\n"
        out += "gatehouse_connections \(samples.reduce(0) { $0 + $1.open })\n"
        out += "# HELP gatehouse_connections_refused_total Connections that were not served, by why.\n"
        out += "# TYPE gatehouse_connections_refused_total counter\n"
        for kind in RefusedConnection.allCases {
            let count = samples.reduce(UInt64(0)) { $0 + $1.counters.refusedConnections[kind.rawValue] }
            out += "gatehouse_connections_refused_total{reason=\"\(kind.label)\"} \(count)\n"
        }
    }

    static func render(_ expiries: [CertificateExpiry], at now: Timestamp) -> String {
        guard !expiries.isEmpty else { return "" }
        var out = "# HELP gatehouse_certificate_expiry_seconds How long a certificate still holds.\n"
        out += "# TYPE gatehouse_certificate_expiry_seconds gauge\n"
        for expiry in expiries {
            let left = (expiry.at - now).components.seconds
            out += "gatehouse_certificate_expiry_seconds{name=\"\(escaped(expiry.name))\"} \(left)\n"
        }
        return out
    }

    private static func renderRequests(_ samples: [Sample], _ out: inout String) {
        var counts: [String: UInt64] = [:]
        for counters in samples.lazy.map(\.counters) {
            for route in -1..<counters.routeNames.count {
                for shape in Shape.allCases {
                    let count = counters.allowed[(route + 1) * Shape.allCases.count + shape.rawValue]
                    guard count > 0 else { continue }
                    counts[labels(counters, route, shape, "allow", ""), default: 0] += count
                }
            }
            for (key, count) in counters.refused {
                let text = labels(counters, key.route, key.shape, key.verdict.rawValue, key.reason?.rawValue ?? "")
                counts[text, default: 0] += count
            }
        }
        out += "# HELP gatehouse_requests_total Requests by their verdict, and once more those that failed behind it.\n"
        out += "# TYPE gatehouse_requests_total counter\n"
        for (labels, count) in counts.sorted(by: { $0.key < $1.key }) {
            out += "gatehouse_requests_total{\(labels)} \(count)\n"
        }
    }

    private static func labels(
        _ counters: LoopCounters, _ route: Int, _ shape: Shape, _ verdict: String, _ reason: String
    ) -> String {
        "route=\"\(escaped(name(counters, route)))\",shape=\"\(shape.label)\",verdict=\"\(verdict)\",reason=\"\(reason)\""
    }

    private static func name(_ counters: LoopCounters, _ route: Int) -> String {
        counters.routeNames.indices.contains(route) ? counters.routeNames[route] : ""
    }

    private static func renderSeconds(_ samples: [Sample], _ out: inout String) {
        var histograms: [String: LoopCounters.Histogram] = [:]
        for counters in samples.lazy.map(\.counters) {
            for route in -1..<counters.routeNames.count {
                for shape in Shape.allCases {
                    let one = counters.seconds[(route + 1) * Shape.allCases.count + shape.rawValue]
                    guard one.buckets.contains(where: { $0 > 0 }) else { continue }
                    let key = "route=\"\(escaped(name(counters, route)))\",shape=\"\(shape.label)\""
                    var total = histograms[key] ?? LoopCounters.Histogram()
                    for index in one.buckets.indices { total.buckets[index] += one.buckets[index] }
                    total.sum += one.sum
                    histograms[key] = total
                }
            }
        }
        out += "# HELP gatehouse_request_seconds From the head of a request to the end of its answer.\n"
        out += "# TYPE gatehouse_request_seconds histogram\n"
        for (key, histogram) in histograms.sorted(by: { $0.key < $1.key }) {
            var sum: UInt64 = 0
            for (index, bound) in LoopCounters.bounds.enumerated() {
                sum += histogram.buckets[index]
                out += "gatehouse_request_seconds_bucket{\(key),le=\"\(seconds(UInt64(bound)))\"} \(sum)\n"
            }
            sum += histogram.buckets[LoopCounters.bounds.count]
            out += "gatehouse_request_seconds_bucket{\(key),le=\"+Inf\"} \(sum)\n"
            out += "gatehouse_request_seconds_sum{\(key)} \(seconds(histogram.sum))\n"
            out += "gatehouse_request_seconds_count{\(key)} \(sum)\n"
        }
    }

    private static func renderUpstreams(_ samples: [Sample], _ out: inout String) {
        // By name: while a reload goes from loop to loop they may know different upstreams.
        let names = samples.first?.counters.upstreamNames ?? []
        let kinds = UpstreamFailure.allCases
        out += "# HELP gatehouse_upstream_errors_total Failures of upstreams, by kind.\n"
        out += "# TYPE gatehouse_upstream_errors_total counter\n"
        for name in names {
            for kind in kinds {
                let count = samples.reduce(UInt64(0)) { sum, sample in
                    guard let index = sample.counters.upstreamNames.firstIndex(of: name) else { return sum }
                    return sum + sample.counters.upstreamErrors[index * kinds.count + kind.rawValue]
                }
                out +=
                    "gatehouse_upstream_errors_total{upstream=\"\(escaped(name))\",kind=\"\(kind.label)\"} \(count)\n"
            }
        }
        out += "# HELP gatehouse_upstream_connections Connections to upstreams, with a request or kept for one.\n"
        out += "# TYPE gatehouse_upstream_connections gauge\n"
        for name in names {
            var idle = 0
            var active = 0
            for sample in samples {
                guard let index = sample.counters.upstreamNames.firstIndex(of: name) else { continue }
                idle += sample.connections[index].idle
                active += sample.connections[index].active
            }
            out += "gatehouse_upstream_connections{upstream=\"\(escaped(name))\",state=\"active\"} \(active)\n"
            out += "gatehouse_upstream_connections{upstream=\"\(escaped(name))\",state=\"idle\"} \(idle)\n"
        }
        renderServers(samples.first?.servers ?? [], &out)
    }

    private static func renderServers(_ upstreams: [UpstreamServers], _ out: inout String) {
        out += "# HELP gatehouse_upstream_up 1: requests are given to the server; 0: it is passed over.\n"
        out += "# TYPE gatehouse_upstream_up gauge\n"
        for upstream in upstreams {
            for server in upstream.servers {
                let labels = "upstream=\"\(escaped(upstream.description.name))\",server=\"\(escaped(server.label))\""
                out += "gatehouse_upstream_up{\(labels)} \(upstream.isUp(server) ? 1 : 0)\n"
            }
        }
        out += "# HELP gatehouse_upstream_ejections_total Servers were passed over for a while after failures.\n"
        out += "# TYPE gatehouse_upstream_ejections_total counter\n"
        for upstream in upstreams {
            let name = escaped(upstream.description.name)
            out += "gatehouse_upstream_ejections_total{upstream=\"\(name)\"} \(upstream.ejections)\n"
        }
    }

    /// Every route, and those of an earlier configuration that still have one.
    private static func renderTunnels(_ samples: [Sample], _ out: inout String) {
        var counts: [String: Int] = [:]
        for sample in samples {
            for name in sample.counters.routeNames { counts[name, default: 0] += 0 }
            for (name, count) in sample.tunnels { counts[name, default: 0] += count }
        }
        out += "# HELP gatehouse_tunnels WebSockets and other tunnels that are open.\n"
        out += "# TYPE gatehouse_tunnels gauge\n"
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
            out += "gatehouse_tunnels{route=\"\(escaped(name))\"} \(count)\n"
        }
    }

    /// Microseconds as seconds, without the rounding of binary fractions.
    static func seconds(_ microseconds: UInt64) -> String {
        let fraction = String(microseconds % 1_000_000)
        var digits = String(repeating: "0", count: 6 - fraction.utf8.count) + fraction
        while digits.utf8.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return "\(microseconds / 1_000_000).\(digits)"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
        return result
    }
}
