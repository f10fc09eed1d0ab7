"""A mail server of somebody else (aiosmtpd), and one that only says what it is told to."""

import email
import email.policy
import socket
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from support.waiting import eventually


class _Handler:
    def __init__(self, server):
        self.server = server

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = self.server.on_recipient(address)
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.server.take(session, envelope, server.transport.get_extra_info("ssl_object") is not None)
        return self.server.on_content() or "250 taken"


class MailServer:
    """Takes mails. `on_recipient` and `on_content` may answer something else than yes."""

    def __init__(self, certificate=None, implicit=False, login=None):
        self.mails = []
        self.on_recipient = lambda address: None
        self.on_content = lambda: None
        options = {}
        if certificate and not implicit:
            options |= {"tls_context": certificate.server_context(), "require_starttls": True}
        if login:
            options |= {"authenticator": self._check, "auth_required": True, "auth_require_tls": bool(certificate)}
        self.login = login
        self.controller = Controller(
            _Handler(self), hostname="127.0.0.1", port=0, server_hostname="mail.example.com",
            ssl_context=certificate.server_context() if implicit else None, **options)
        # The controller knocks at its own door once; at the port that it was given, not the one asked for.
        self.controller._trigger_server = self._knock
        self.controller.start()
        self.port = self.controller.server.sockets[0].getsockname()[1]

    def _knock(self):
        socket.create_connection(self.controller.server.sockets[0].getsockname()[:2]).close()

    def _check(self, server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self.login
        return AuthResult(success=good, handled=False) if not good else AuthResult(success=True)

    def take(self, session, envelope, secure):
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        message.raw = envelope.original_content
        message.sender = envelope.mail_from
        message.recipients = list(envelope.rcpt_tos)
        message.secure = secure
        message.greeting = session.host_name
        self.mails.append(message)

    def mail(self, count=1):
        """The last mail, once there are `count`."""
        eventually(lambda: len(self.mails) >= count, 20, f"mail number {count}")
        return self.mails[-1]

    def close(self):
        self.controller.stop()


class ScriptedServer:
    """Answers each line by what `script` says for its first word; None closes. Notes what it was told."""

    def __init__(self, script, greeting="220 mail.example.com"):
        self.script = {"EHLO": "250 mail.example.com", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on",
                       ".": "250 taken", "QUIT": "221 bye"} | script
        self.greeting = greeting
        self.lines = []
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer, peer.makefile("rwb") as stream:
            def say(text):
                stream.write(text.encode() + b"\r\n")
                stream.flush()

            if self.greeting is None:
                return
            say(self.greeting)
            in_data = False
            try:
                for raw in stream:
                    line = raw.decode().rstrip("\r\n")
                    self.lines.append(line)
                    if in_data and line != ".":
                        if self.script.get("content", "") is None:
                            return
                        continue
                    word = line.split(" ")[0].upper()
                    answer = self.script.get(word, "500 what?")
                    if callable(answer):
                        answer = answer()
                    if answer is None:
                        return
                    say(answer)
                    in_data = word == "DATA" and answer.startswith("354")
            except OSError:
                pass

    def close(self):
        self.socket.close()
