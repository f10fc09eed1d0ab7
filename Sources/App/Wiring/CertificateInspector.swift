internal import Core
internal import JOSE
internal import Proxy
internal import Settings

/// Looks into certificates with what will serve them.
struct CertificateInspector: CertificateInspecting {
    let clock: any WallClock

    func inspect(certificate: [UInt8], privateKey: [UInt8]) throws(CertificateFault) -> CertificateFindings {
        let pair: Proxy.KeyPair
        do throws(KeyPairError) {
            pair = try Proxy.KeyPair(certificate: certificate, privateKey: privateKey)
        } catch {
            throw CertificateFault(isAboutKey: error.part == .privateKey, message: error.message)
        }
        let now = clock.now()
        var notValid: String?
        if pair.notAfter < now { notValid = "expired on \(pair.notAfter.rfc3339)" }
        if now < pair.notBefore { notValid = "holds only from \(pair.notBefore.rfc3339)" }
        return CertificateFindings(names: pair.names, notValid: notValid)
    }

    func areCertificates(_ bytes: [UInt8]) -> Bool { Proxy.KeyPair.areCertificates(bytes) }

    func isSigningKey(_ pem: SecretBytes) -> Bool {
        (try? TokenSigner(pem: pem, keyID: "key", algorithm: .es256)) != nil
    }
}
