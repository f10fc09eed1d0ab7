import Glibc
import HTTPWire
import NIOCore

/// An Upgrade is for a server that is spoken to in HTTP/2, which has none.
struct UpstreamCannotTunnel: Error {}

/// A name that no address is known of.
struct UnresolvedHost: Error, CustomStringConvertible {
    let host: String
    let problem: String

    var description: String { "\(host) cannot be resolved: \(problem)" }
}

extension UpstreamFailure {
    /// What it says about the server that it came from; nil: nothing.
    var fault: Ejection.Fault? {
        switch self {
        case .connect, .connectTimeout, .tls: .unreachable
        case .firstByteTimeout, .closed, .malformed, .reset: .unanswered
        case .idleTimeout, .resolve, .unhealthy, .unsupported, .noDescriptor: nil
        }
    }
}

extension UpstreamFailure {
    /// Why a connection could not be made.
    init(connecting error: any Error) {
        if case ChannelError.connectTimeout? = error as? ChannelError {
            self = .connectTimeout
        } else if error is UnresolvedHost {
            self = .resolve
        } else if error is UpstreamCannotTunnel {
            self = .unsupported
        } else if error is NoUpstreamPlace || (error as? IOError)?.isShortage == true {
            self = .noDescriptor
        } else {
            self = UpstreamTLS.isCause(of: error) ? .tls : .connect
        }
    }
}

/// Whether a request whose connection failed may be sent again.
enum UpstreamRetry {
    case never
    /// The connection had been used before and died without a byte of an answer.
    case whenIdempotent
    /// The server has not done anything about it.
    case always
}

/// How far the body of an answer has come.
enum UpstreamBodyOutcome {
    case more, ended
    case invalid(Refusal)
}

extension IOError {
    /// The process or the machine has no descriptor or no memory left for a socket; whoever is asked has no part in it.
    var isShortage: Bool {
        switch errnoCode {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: true
        default: false
        }
    }
}
