internal import CCurl
internal import Core

/// One mail over one connection, on the calling thread.
final class SMTPTransfer {
    /// How far the conversation came: it decides whose fault a refusal is.
    private enum Stage {
        /// Up to signing in: whatever goes wrong concerns every mail.
        case greeting
        case authentication
        /// MAIL, RCPT and DATA: about this mail.
        case envelope
        case content
    }

    private let client: SMTPClient
    private let recipient: EmailAddress
    private let message: [UInt8]
    private var position = 0
    private var stage = Stage.greeting
    private var lastRefusal = ""

    init(_ client: SMTPClient, to recipient: EmailAddress, _ message: [UInt8]) {
        self.client = client
        self.recipient = recipient
        self.message = message
    }

    func perform() throws(MailError) {
        guard let handle = curl_easy_init() else { throw MailError(.unavailable, "out of memory") }
        defer { curl_easy_cleanup(handle) }
        var recipients: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(recipients) }
        recipients = curl_slist_append(recipients, recipient.description)
        guard recipients != nil, configure(handle, recipients) else {
            throw MailError(.unavailable, "libcurl refused the settings of the mail server")
        }
        let code = withExtendedLifetime(self) { curl_easy_perform(handle) }
        guard code != CURLE_OK else { return }
        var reply = 0
        gh_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &reply)
        throw error(code, reply)
    }

    private func configure(
        _ handle: UnsafeMutableRawPointer, _ recipients: UnsafeMutablePointer<curl_slist>?
    ) -> Bool {
        let settings = client.configuration
        let context = Unmanaged.passUnretained(self).toOpaque()
        let scheme = settings.security == .tls ? "smtps" : "smtp"
        let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
        var results = [
            // The path is what we call ourselves.
            gh_curl_set_string(handle, CURLOPT_URL, "\(scheme)://\(host):\(settings.port)/\(settings.ownName)"),
            gh_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, scheme),
            gh_curl_set_string(handle, CURLOPT_PROXY, ""),
            gh_curl_set_long(handle, CURLOPT_NOSIGNAL, 1),
            gh_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(settings.connectTimeout)),
            gh_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Self.milliseconds(settings.timeout)),
            gh_curl_set_long(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
            gh_curl_set_string(handle, CURLOPT_MAIL_FROM, settings.sender.address.description),
            gh_curl_set_list(handle, CURLOPT_MAIL_RCPT, recipients),
            gh_curl_set_long(handle, CURLOPT_UPLOAD, 1),
            gh_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(message.count)),
            gh_curl_set_data(handle, CURLOPT_READFUNCTION, Self.giveBytes, CURLOPT_READDATA, context),
            gh_curl_set_data(handle, CURLOPT_HEADERFUNCTION, Self.takeReply, CURLOPT_HEADERDATA, context),
            gh_curl_set_debug(handle, Self.takeNote, context),
            gh_curl_set_progress(handle, Self.isToStop, context),
        ]
        if settings.security == .starttls {
            results.append(gh_curl_set_long(handle, CURLOPT_USE_SSL, Int(CURLUSESSL_ALL.rawValue)))
        }
        if let authorities = settings.authorities {
            results.append(gh_curl_set_string(handle, CURLOPT_CAINFO, authorities))
        }
        if let username = settings.username, let password = settings.password {
            results.append(gh_curl_set_string(handle, CURLOPT_USERNAME, username))
            var text = password.withUnsafeBytes { $0.map { CChar(bitPattern: $0) } } + [0]
            results.append(gh_curl_set_string(handle, CURLOPT_PASSWORD, text))
            text.withUnsafeMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
        }
        return results.allSatisfy { $0 == CURLE_OK }
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(max(1, min(duration.wholeMilliseconds, 600_000)))
    }

    // MARK: What libcurl asks and tells

    private static func transfer(_ context: UnsafeMutableRawPointer) -> SMTPTransfer {
        Unmanaged<SMTPTransfer>.fromOpaque(context).takeUnretainedValue()
    }

    private static let giveBytes: gh_curl_data_callback = { buffer, size, count, context in
        guard let buffer, let context else { return 0 }
        let transfer = transfer(context)
        let rest = transfer.message[transfer.position...].prefix(size * count)
        UnsafeMutableRawBufferPointer(start: buffer, count: rest.count).copyBytes(from: rest)
        transfer.position += rest.count
        transfer.stage = .content
        return rest.count
    }

    private static let takeReply: gh_curl_data_callback = { data, size, count, context in
        guard let data, let context else { return 0 }
        let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
        // What was said last is good-bye; of interest is what was said no.
        if let first = bytes.first, first == UInt8(ascii: "4") || first == UInt8(ascii: "5") {
            transfer(context).lastRefusal = String(decoding: bytes.prefix(300), as: UTF8.self)
        }
        return bytes.count
    }

    /// Only the first word of a command is looked at, and nothing is kept: what follows AUTH is a password.
    private static let takeNote: gh_curl_debug_callback = { _, kind, data, size, context in
        guard kind == CURLINFO_HEADER_OUT, let data, let context else { return 0 }
        let transfer = transfer(context)
        let bytes = UnsafeRawBufferPointer(start: data, count: size)
        if bytes.starts(with: "AUTH".utf8) {
            transfer.stage = .authentication
        } else if bytes.starts(with: "MAIL".utf8) {
            transfer.stage = .envelope
        }
        return 0
    }

    private static let isToStop: gh_curl_progress_callback = { context, _, _, _, _ in
        context.map { transfer($0).client.isStopping } == true ? 1 : 0
    }

    // MARK: What went wrong

    private func error(_ code: CURLcode, _ reply: Int) -> MailError {
        let cause = String(cString: curl_easy_strerror(code))
        let server = "\(client.configuration.host):\(client.configuration.port)"
        switch code {
        case CURLE_ABORTED_BY_CALLBACK: return MailError(.stopped, "the server is stopping")
        case CURLE_LOGIN_DENIED:
            return MailError(.unavailable, "\(server) did not accept mail.smtp.username and password (\(reply))")
        case CURLE_USE_SSL_FAILED:
            return MailError(.unavailable, "\(server) offers no STARTTLS, and without TLS nothing is sent")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CONNECT_ERROR:
            return MailError(.unavailable, "TLS with \(server) failed: \(cause)")
        case CURLE_SEND_ERROR, CURLE_WEIRD_SERVER_REPLY, CURLE_RECV_ERROR, CURLE_REMOTE_ACCESS_DENIED,
            CURLE_UPLOAD_FAILED:
            return refusal(reply) ?? MailError(.unavailable, "\(server): \(cause)")
        default: return MailError(.unavailable, "\(server): \(cause)")
        }
    }

    /// A reply that is about this mail. 421 closes the channel whatever it answers, and 530 and its like ask for a
    /// sign-in: those concern every mail.
    private func refusal(_ reply: Int) -> MailError? {
        guard stage == .envelope || stage == .content, ![421, 530, 534, 535, 538].contains(reply) else {
            return (400...599).contains(reply) && stage != .authentication
                ? MailError(.unavailable, "the mail server refused: \(refusalText)") : nil
        }
        switch reply {
        case 400...499: return MailError(.deferred, "the mail server put it off: \(refusalText)")
        case 500...599: return MailError(.rejected, "the mail server refused it: \(refusalText)")
        default: return nil
        }
    }

    private var refusalText: String {
        var text = String.UnicodeScalarView()
        for scalar in lastRefusal.unicodeScalars where scalar.properties.generalCategory != .control {
            text.append(scalar)
        }
        return String(text)
    }
}
