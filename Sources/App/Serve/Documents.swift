internal import Accounts
internal import Core
internal import Logging

/// Gatehouse's own documents: the keys that its assertions are verified with.
struct Documents: LocalResponder {
    let store: Store
    let pool: WorkerPool
    let log: Logger

    func respond(to request: LocalRequest) async -> LocalResponse? {
        guard request.path == "/.auth/jwks.json" else { return nil }
        guard request.method == "GET" || request.method == "HEAD" else {
            return LocalResponse(status: 405, headers: [("Allow", "GET, HEAD")])
        }
        let result: Result<[UInt8], any Error>? = await withCheckedContinuation { continuation in
            let accepted = pool.submit { continuation.resume(returning: Result { try store.publicKeySet() }) }
            if !accepted { continuation.resume(returning: nil) }
        }
        switch result {
        case .success(let document)?:
            return LocalResponse(
                status: 200,
                // A new key is published a day before it signs, so an hour-old copy is never too old.
                headers: [("Content-Type", "application/jwk-set+json"), ("Cache-Control", "public, max-age=3600")],
                body: document)
        case .failure(let error)?:
            log.error("the key set cannot be read", metadata: ["error": "\(error)"])
            return LocalResponse(status: 503, headers: [("Retry-After", "5")])
        case nil:
            return LocalResponse(status: 503, headers: [("Retry-After", "1")])
        }
    }
}
