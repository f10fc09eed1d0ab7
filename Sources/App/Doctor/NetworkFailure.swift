internal import Glibc
internal import NIOCore
internal import NIOPosix

/// Why a connection or a listener could not be made, for people.
enum NetworkFailure {
    static func words(_ error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { words($0.error) } ?? "no address is known for the name \(error.host)"
        case ChannelError.connectTimeout: "nobody answered in time"
        default: "\(error)"
        }
    }
}
