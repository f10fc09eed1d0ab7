internal import COpenSSL
public import Core

/// Whom a certificate (RFC 5280) names, and until when it holds. Only read, never verified: whoever has it verified it
/// before.
public struct CertificateNames: Sendable, Equatable {
    /// The kinds of alternative names that are read.
    public enum AlternativeKind: Sendable, Equatable {
        case email, host, uri
    }

    /// The last common name of the subject, in UTF-8; nil when there is none.
    public let commonName: String?
    /// The subject's alternative names in their order, those of the three kinds that are texts.
    public let alternatives: [(kind: AlternativeKind, text: String)]
    /// The subject's and the issuer's distinguished names as they are encoded.
    public let subject: [UInt8]
    public let issuer: [UInt8]
    /// The issuer as people write it (RFC 4514): `CN=Example CA,O=Example`.
    public let issuerText: String
    /// Before this it does not hold yet.
    public let notBefore: Timestamp
    /// After this it does not hold any more.
    public let notAfter: Timestamp

    /// Longer certificates are not looked at.
    private static let maximumBytes = 64 * 1024

    /// - Returns: nil when `der` is no certificate with both names.
    public init?(der: Span<UInt8>) {
        guard der.count <= Self.maximumBytes else { return nil }
        defer { ERR_clear_error() }
        let parsed = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var place = bytes.baseAddress
            return d2i_X509(nil, &place, bytes.count)
        }
        guard let certificate = parsed else { return nil }
        defer { X509_free(certificate) }
        guard let subjectName = X509_get_subject_name(certificate), let issuerName = X509_get_issuer_name(certificate),
            let subject = Self.encoded(subjectName), let issuer = Self.encoded(issuerName),
            let text = Self.text(issuerName), let before = Self.time(X509_get0_notBefore(certificate)),
            let after = Self.time(X509_get0_notAfter(certificate))
        else { return nil }
        self.subject = subject
        self.issuer = issuer
        issuerText = text
        notBefore = before
        notAfter = after
        commonName = Self.commonName(subjectName)
        alternatives = Self.alternatives(certificate)
    }

    public static func == (left: CertificateNames, right: CertificateNames) -> Bool {
        left.subject == right.subject && left.issuer == right.issuer && left.notAfter == right.notAfter
            && left.notBefore == right.notBefore
            && left.alternatives.elementsEqual(right.alternatives) { $0 == $1 }
    }

    private static func encoded(_ name: OpaquePointer) -> [UInt8]? {
        var bytes: UnsafePointer<UInt8>?
        var count = 0
        guard X509_NAME_get0_der(name, &bytes, &count) == 1, let bytes else { return nil }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    private static func text(_ name: OpaquePointer) -> String? {
        guard let memory = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(memory) }
        guard X509_NAME_print_ex(memory, name, 0, UInt(gatehouse_name_flags())) >= 0 else { return nil }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1024)
        while bytes.count < maximumBytes {
            let count = BIO_read(memory, &piece, Int32(piece.count))
            guard count > 0 else { break }
            bytes += piece[..<Int(count)]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func commonName(_ name: OpaquePointer) -> String? {
        var last: Int32 = -1
        while true {
            let next = X509_NAME_get_index_by_NID(name, NID_commonName, last)
            guard next >= 0 else { break }
            last = next
        }
        guard last >= 0, let entry = X509_NAME_get_entry(name, last), let value = X509_NAME_ENTRY_get_data(entry) else {
            return nil
        }
        var utf8: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&utf8, value)
        guard count >= 0, let utf8 else { return nil }
        defer { CRYPTO_free(utf8, nil, 0) }
        return String(decoding: UnsafeBufferPointer(start: utf8, count: Int(count)), as: UTF8.self)
    }

    private static func alternatives(_ certificate: OpaquePointer) -> [(kind: AlternativeKind, text: String)] {
        guard let raw = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return [] }
        let names = OpaquePointer(raw)
        defer { GENERAL_NAMES_free(names) }
        var found: [(kind: AlternativeKind, text: String)] = []
        for place in 0..<gatehouse_general_name_count(names) {
            guard let name = gatehouse_general_name(names, place), let text = gatehouse_general_name_text(name),
                let bytes = ASN1_STRING_get0_data(text)
            else { continue }
            let kind: AlternativeKind
            switch gatehouse_general_name_type(name) {
            case GEN_EMAIL: kind = .email
            case GEN_DNS: kind = .host
            default: kind = .uri
            }
            let count = Int(ASN1_STRING_length(text))
            found.append((kind, String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)))
        }
        return found
    }

    /// Seconds of the epoch, by way of the difference to it: no time zone and no `time_t` in between.
    private static func time(_ time: UnsafePointer<ASN1_TIME>?) -> Timestamp? {
        guard let time, let epoch = ASN1_TIME_set(nil, 0) else { return nil }
        defer { ASN1_STRING_free(epoch) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return nil }
        return Timestamp(seconds: Int64(days) * 86_400 + Int64(seconds))
    }
}
