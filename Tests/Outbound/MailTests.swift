import Core
import Synchronization
import Testing

@testable import Outbound

private func mail(
    subject: String = "Subject", text: String = "Text\n", html: String = "<p>Text</p>\n",
    id: String = "mail_1@example.com"
) throws -> Mail {
    Mail(
        messageID: id, recipient: try #require(EmailAddress("mary@example.com")), subject: subject, text: text,
        html: html, language: "en", date: Timestamp(milliseconds: 1_795_407_000_000))
}

private func sender(_ name: String = "") throws -> NamedAddress {
    NamedAddress(name: name, address: try #require(EmailAddress("auth@example.com")))
}

private func lines(_ bytes: [UInt8]) -> [String] {
    String(decoding: bytes, as: UTF8.self).components("\r\n")
}

extension String {
    fileprivate func components(_ separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}

@Suite struct MIMETests {
    @Test func headers() throws {
        let lines = lines(try MIMEMessage(mail(), from: sender("Gatehouse")).bytes)
        #expect(lines.contains("Date: Mon, 23 Nov 2026 04:10:00 +0000"))
        #expect(lines.contains("From: Gatehouse") && lines.contains(" <auth@example.com>"))
        #expect(lines.contains("To: mary@example.com"))
        #expect(lines.contains("Message-ID: <mail_1@example.com>"))
        #expect(lines.contains("Auto-Submitted: auto-generated"))
        #expect(lines.contains("MIME-Version: 1.0"))
    }

    @Test(
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000"), (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 +0000"),
        ] as [(Int64, String)])
    func dates(_ seconds: Int64, _ text: String) {
        #expect(MIMEMessage.date(Timestamp(seconds: seconds)) == text)
    }

    @Test(arguments: ["a\r\nBcc: x@example.com", "a\nb", "a\u{0}b", "a\u{7f}", "a\u{85}b"])
    func nobodyAddsAHeader(_ text: String) throws {
        #expect(throws: MailError.self) { try MIMEMessage(mail(subject: text), from: sender()) }
        #expect(throws: MailError.self) { try MIMEMessage(mail(id: text), from: sender()) }
        #expect(throws: MailError.self) { try MIMEMessage(mail(), from: sender(text)) }
    }

    @Test func sevenBitsAndShortLines() throws {
        let texts = [
            String(repeating: "ä", count: 500), String(repeating: "x", count: 5000), ".\n..\n.a\n", "a \nb\t\n \n",
            "\u{1f600}\u{0}\u{1b}[31m=", "--=_gatehouse_mail_1\nx\n", "From here\n",
        ]
        for text in texts {
            let message = try MIMEMessage(
                mail(subject: String(text.prefix(60).filter { $0.isLetter }), text: text), from: sender("Käthe, “Ops”"))
            #expect(message.bytes.allSatisfy { $0 < 0x80 && ($0 >= 0x20 || $0 == 0x0d || $0 == 0x0a) })
            for line in lines(message.bytes) { #expect(line.utf8.count <= 78 && !line.hasSuffix(" ")) }
            #expect(lines(message.bytes).filter { $0.hasPrefix("--=_gatehouse_mail_1") }.count == 3)
        }
    }

    @Test func aMailIsBounded() throws {
        #expect(throws: MailError.self) {
            try MIMEMessage(mail(text: String(repeating: "x", count: 300_000)), from: sender())
        }
    }

    /// RFC 2047 and RFC 2045, as Python's `email` reads and writes them.
    @Test func encodedWords() {
        #expect(HeaderText.encoded("Plain", after: 9) == "Plain")
        #expect(HeaderText.encoded("Grüße", after: 9) == "=?utf-8?B?R3LDvMOfZQ==?=")
        #expect(HeaderText.encoded("=?utf-8?B?R3LDvMOfZQ==?=", after: 9).hasPrefix("=?utf-8?B?PT91"))
        let long = HeaderText.encoded(String(repeating: "ü😀", count: 40), after: 9)
        #expect(long.components("\r\n ").count > 3)
        #expect(long.components("\r\n ").allSatisfy { $0.utf8.count <= 75 && $0.hasSuffix("?=") })
        #expect(QuotedPrintable.encoded("a=b ä\t\n") == "a=3Db =C3=A4=09\r\n")
        #expect(QuotedPrintable.encoded("a\r\nb") == "a\r\nb")
        let line = String(repeating: "x", count: 75)
        #expect(QuotedPrintable.encoded(line + "x") == line + "=\r\nx")
    }

    @Test func namedAddresses() throws {
        #expect(NamedAddress("auth@example.com") == (try sender()))
        #expect(NamedAddress("Gatehouse <auth@example.com>") == (try sender("Gatehouse")))
        #expect(NamedAddress("\"Käthe, Ops\" <auth@example.com>") == (try sender("Käthe, Ops")))
        #expect(NamedAddress("<auth@example.com>") == (try sender()))
        let refused = [
            "", "auth", "a <b> <auth@example.com>", "x <auth@example.com> y", "a@example.com, b@example.com",
            "a\nb <auth@example.com>", "a\" <auth@example.com>", "x <auth@example.com", "x <a@b@example.com>",
        ]
        for text in refused { #expect(NamedAddress(text) == nil) }
    }
}

@Suite struct SMTPClientTests {
    private func client(
        _ port: UInt16, security: SMTPClient.Security = .none, timeout: Duration = .seconds(20)
    ) throws -> SMTPClient {
        SMTPClient(
            SMTPClient.Configuration(
                sender: try sender(), host: "127.0.0.1", port: port, security: security, connectTimeout: timeout,
                timeout: timeout))
    }

    private func failure(_ client: SMTPClient) throws -> MailError? {
        let mail = try mail()
        do throws(MailError) {
            try client.send(mail)
            return nil
        } catch {
            return error
        }
    }

    @Test func nobodyThere() throws {
        let listener = try LoopbackListener(answer: nil)
        listener.close()
        #expect(try failure(client(listener.port))?.code == .unavailable)
    }

    /// Accepts the connection and says nothing, at the greeting or in the TLS handshake.
    @Test(arguments: [SMTPClient.Security.none, .starttls, .tls])
    func aSilentServerIsLeftAfterTheTimeOut(_ security: SMTPClient.Security) throws {
        let listener = try LoopbackListener(answer: nil)
        defer { listener.close() }
        let error = try failure(client(listener.port, security: security, timeout: .milliseconds(200)))
        #expect(error?.code == .unavailable)
    }

    @Test func aStopBreaksOff() throws {
        let listener = try LoopbackListener(answer: nil)
        defer { listener.close() }
        let client = try client(listener.port, timeout: .seconds(600))
        NamedThread.start(name: "stopper") { client.stop() }
        #expect(try failure(client)?.code == .stopped)
        #expect(try failure(client)?.code == .stopped)
    }

    @Test func aReplyInAnErrorIsOneLine() throws {
        let listener = try LoopbackListener(answer: "554 go\u{1b}[31m away\r\n")
        defer { listener.close() }
        let error = try #require(try failure(client(listener.port)))
        #expect(error.code == .unavailable)
        #expect(!error.message.unicodeScalars.contains { $0.value < 0x20 })
    }
}
