"""An OpenID provider whose access tokens end, and whose refresh tokens are good once each."""

import base64
import secrets
import threading
import urllib.parse

from support.provider import CLIENT, SECRET, Provider


class TokenProvider(Provider):
    def __init__(self, *arguments, lifetime=600, **metadata):
        self.lifetime = lifetime
        self.refresh_tokens = {}
        # Everything that nobody but the apps may ever see.
        self.given = []
        self.refreshes = []
        self.padding = 0
        # Set: refreshes are answered. Cleared: they wait.
        self.open = threading.Event()
        self.open.set()
        self.lock = threading.Lock()
        super().__init__(*arguments, **metadata)

    def _token(self, handler, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if form.get("grant_type") == "refresh_token":
            return self._refresh(handler, form)
        status, headers, answer = super()._token(handler, body)
        if status == 200:
            self._give(answer, self.tokens[answer["access_token"]])
        return status, headers, answer

    def _give(self, answer, person):
        refresh = "refresh." + secrets.token_urlsafe(24) + "A" * self.padding
        with self.lock:
            self.tokens[answer["access_token"]] = person
            self.refresh_tokens[refresh] = person
            self.given += [answer["access_token"], refresh]
        answer |= {"refresh_token": refresh, "expires_in": self.lifetime}

    def _refresh(self, handler, form):
        if handler.headers["Authorization"]:
            pair = base64.b64decode(handler.headers["Authorization"].removeprefix("Basic ")).decode()
            client = tuple(urllib.parse.unquote_plus(part) for part in pair.split(":"))
        else:
            client = (form.get("client_id"), form.get("client_secret"))
        assert client == (CLIENT, SECRET)
        with self.lock:
            self.refreshes.append(form["refresh_token"])
        assert self.open.wait(60)
        if "refresh" in self.how:
            return self.how["refresh"]
        with self.lock:
            person = self.refresh_tokens.pop(form["refresh_token"], None)
        if person is None:
            return 400, {}, {"error": "invalid_grant"}
        answer = {"access_token": "access." + secrets.token_urlsafe(24), "token_type": "Bearer"}
        self._give(answer, person)
        return 200, {}, answer
