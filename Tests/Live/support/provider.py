"""An OpenID provider under test control: right unless told otherwise. Its authorization endpoint is a call, since who
comes there is the test; the rest is HTTP on the loopback. Tokens are made by PyJWT."""

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

from support.issuer import Key

CLIENT = "gatehouse"
SECRET = "a secret: of + the % client"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Provider:
    def __init__(self, algorithm="ES256", **metadata):
        self.key = Key("one", algorithm)
        self.keys = [self.key]
        self.metadata = metadata
        self.codes = {}
        self.tokens = {}
        self.visits = []
        # Method, target, headers by their names in lower case, and body of each.
        self.asked = []
        self.behave()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                provider._handle(self, b"")

            def do_POST(self):
                provider._handle(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def behave(self, **how):
        """What it does otherwise than it should; nothing unless named.

        claims, userinfo: changes, None leaves a member out. sign: makes the ID token of the claims. tokens: changes of
        the token answer. PATH (`token`, `info`, `keys`, `metadata`): (status, headers, body) in place of an answer;
        without a status the body is all that is sent.
        """
        self.how = how

    # What HTTP asks for

    def _handle(self, handler, body):
        path = urllib.parse.urlsplit(handler.path).path
        self.visits.append(path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append((handler.command, handler.path, headers, body))
        name = {"/.well-known/openid-configuration": "metadata", "/token": "token", "/userinfo": "info",
                "/jwks": "keys"}.get(path)
        if name is None:
            status, headers, answer = 404, {}, b"{}"
        elif name in self.how:
            instead = self.how[name]
            status, headers, answer = instead() if callable(instead) else instead
        else:
            status, headers, answer = getattr(self, "_" + name)(handler, body)
        if status is None:
            # Bytes as they are, and the end of the connection.
            handler.close_connection = True
            handler.wfile.write(answer)
            return
        if not isinstance(answer, bytes):
            answer = json.dumps(answer).encode()
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(answer)))
            for header, value in headers.items():
                handler.send_header(header, value)
            handler.end_headers()
            handler.wfile.write(answer)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _metadata(self, handler, body):
        return 200, {}, self.discovery()

    def discovery(self):
        document = {
            "issuer": self.issuer, "authorization_endpoint": self.issuer + "/authorize",
            "token_endpoint": self.issuer + "/token", "userinfo_endpoint": self.issuer + "/userinfo",
            "jwks_uri": self.issuer + "/jwks", "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        } | self.metadata
        return {name: value for name, value in document.items() if value is not None}

    def _keys(self, handler, body):
        return 200, {}, {"keys": [key.jwk() for key in self.keys]}

    def _token(self, handler, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if not self.knows(handler, form):
            return 401, {}, {"error": "invalid_client"}
        began = self.codes.pop(form.get("code"), None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (not began or form["grant_type"] != "authorization_code" or began["redirect_uri"] != form["redirect_uri"]
                or began["code_challenge"] != challenge):
            return 400, {}, {"error": "invalid_grant"}
        access = secrets.token_urlsafe(16)
        self.tokens[access] = began["person"]
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": 60,
                  "id_token": self.id_token(began, access)} | self.how.get("tokens", {})
        return 200, {}, {name: value for name, value in answer.items() if value is not None}

    def knows(self, handler, form):
        """Whether the client is the one that it says."""
        client = (form.get("client_id"), form.get("client_secret"))
        if handler.headers["Authorization"]:
            scheme, _, pair = handler.headers["Authorization"].partition(" ")
            assert scheme == "Basic"
            client = tuple(urllib.parse.unquote_plus(part) for part in base64.b64decode(pair).decode().split(":"))
        return client == (CLIENT, SECRET)

    def id_token(self, began, access):
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": began["nonce"],
            "at_hash": b64(hashlib.sha256(access.encode()).digest()[:16]),
        } | began["person"] | self.how.get("claims", {})
        claims = {name: value for name, value in claims.items() if value is not None}
        return self.how["sign"](claims) if "sign" in self.how else self.sign(claims)

    def sign(self, claims, key=None, **headers):
        key = key or self.key
        return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid, **headers})

    def _info(self, handler, body):
        person = self.tokens.get(handler.headers["Authorization"].removeprefix("Bearer "))
        if not person:
            return 401, {}, {"error": "invalid_token"}
        document = person | self.how.get("userinfo", {})
        return 200, {}, {name: value for name, value in document.items() if value is not None}

    # Whoever comes with a browser

    def authorize(self, url, **person):
        """Signs this person in; the address that the browser is sent back to, as (address, parameters)."""
        parts = urllib.parse.urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == self.issuer + "/authorize", url
        asked = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=True))
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT, asked
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split(), asked
        code = secrets.token_urlsafe(16)
        if "max_age" in asked:
            person = {"auth_time": int(time.time())} | person
        self.codes[code] = asked | {"person": {"sub": "lena"} | person}
        return asked["redirect_uri"], {"code": code, "state": asked["state"], "iss": self.issuer}

    def settings(self, id="corp", **changes):
        """Its entry in `login.providers`."""
        return {"id": id, "kind": "oidc", "issuer": self.issuer, "client_id": CLIENT, "client_secret": SECRET,
                "accept": "anyone", "create_users": True} | changes
