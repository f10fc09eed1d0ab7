import Core
import HTTPWire
import Policy

/// The original request, as a proxy described it; the bytes are those of the describing head.
struct CheckDescription {
    let method: UnsafeRawBufferPointer
    let host: UnsafeRawBufferPointer
    let path: UnsafeRawBufferPointer
    let traits: PathTraits
    /// Without `?`; nil when there is none.
    var query: UnsafeRawBufferPointer?
}

/// How one proxy describes the original request, and what it understands as an answer.
protocol CheckDialect {
    /// Its name in the path of the endpoint and in the log.
    static var name: String { get }

    /// Reads the description. A reason, when there is none that can be judged: never a request that passes.
    static func describe(_ incoming: FrontHandler.Incoming) -> Result<CheckDescription, CheckFailure>

    /// What a refusing verdict is in this dialect.
    static func refusal(_ verdict: Verdict, _ reason: Reason, state: CredentialState) -> RefusalAnswer
}

/// Why a description cannot be judged.
struct CheckFailure: Error, Equatable {
    let reason: Reason
    /// The two values that differ, for the log.
    var values: [String] = []
}
