"""A foreign issuer: keys by `cryptography`, tokens by PyJWT, its key set on a loopback HTTP server."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

_KINDS = {
    "RS": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "PS": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class Key:
    def __init__(self, kid, algorithm):
        self.kid = kid
        self.algorithm = algorithm
        self.private = (_KINDS.get(algorithm) or _KINDS[algorithm[:2]])()

    def jwk(self):
        shape = jwt.get_algorithm_by_name(self.algorithm)
        jwk = json.loads(shape.to_jwk(self.private.public_key()))
        jwk.pop("key_ops", None)
        return jwk | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}


class Issuer:
    """`http://127.0.0.1:PORT/jwks` answers with `document` (bytes) or, when that is None, the public keys."""

    def __init__(self, name="https://idp.example.com", algorithms=("RS256", "ES256", "EdDSA", "PS256")):
        self.name = name
        self.keys = {algorithm: Key(f"{algorithm}-1", algorithm) for algorithm in algorithms}
        self.extra = []
        self.document = None
        self.status = 200
        self.fetches = 0
        self.headers = {}
        self._start(0)

    def _start(self, port):
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                issuer.fetches += 1
                body = issuer.document if issuer.document is not None else issuer.key_set()
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/jwks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def key_set(self):
        return json.dumps({"keys": [key.jwk() for key in [*self.keys.values(), *self.extra]]}).encode()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def start_again(self):
        self._start(self.port)

    def claims(self, **changes):
        now = int(time.time())
        claims = {
            "iss": self.name, "aud": "wiki", "sub": "lena", "iat": now, "exp": now + 300, "email": "lena@corp.example",
            "groups": ["staff"], "scope": "wiki:read",
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, algorithm="ES256", key=None, headers=None, **changes):
        """A signed token; a claim that is given as None is left out."""
        key = key or self.keys[algorithm]
        return jwt.encode(
            self.claims(**changes), key.private, algorithm=algorithm, headers={"kid": key.kid, **(headers or {})}
        )

    def settings(self, **changes):
        """What `jwt.issuers` says about it."""
        return {
            "id": "corp", "issuer": self.name, "audiences": ["wiki"], "jwks_url": self.url,
            "algorithms": ["RS256", "ES256", "EdDSA", "PS256"],
            "claims": {"user": "sub", "email": "email", "groups": "groups", "scopes": "scope"},
        } | changes
