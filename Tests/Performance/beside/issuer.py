"""A foreign issuer: its key, its key set and a token, made with openssl(1)."""

import base64
import json
import subprocess
import time


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, input=None):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, input=input).stdout


class Issuer:
    """`token`: file with one `Bearer …` line; `key_set`: file; `public`: file of the key in PEM."""

    def __init__(self, folder, algorithm="RS256"):
        self.algorithm = algorithm
        name = algorithm.lower()
        self._key, self.public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
        self.key_set, self.token = folder / f"{name}.jwks", folder / f"{name}.token"
        if algorithm == "RS256":
            openssl("genrsa", "-out", self._key, "2048")
        else:
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self._key)
        openssl("pkey", "-in", self._key, "-pubout", "-out", self.public)
        self.key_set.write_text(json.dumps({"keys": [self._jwk()]}))
        self.token.write_text(f"Bearer {self._make_token()}\n")

    def _jwk(self):
        common = {"kid": "one", "alg": self.algorithm, "use": "sig"}
        if self.algorithm == "RS256":
            modulus = openssl("rsa", "-in", self._key, "-noout", "-modulus").decode().strip().split("=")[1]
            return common | {"kty": "RSA", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        # The point is the last 65 bytes of the key in DER: 4, x, y.
        point = openssl("pkey", "-in", self._key, "-pubout", "-outform", "DER")[-64:]
        return common | {"kty": "EC", "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:])}

    def _make_token(self):
        now = int(time.time())
        claims = {"iss": "https://idp.example.com", "aud": "app", "sub": "lena", "email": "lena@example.com",
                  "groups": ["staff"], "iat": now, "exp": now + 86400}
        header = {"alg": self.algorithm, "typ": "JWT", "kid": "one"}
        signed = base64url(json.dumps(header).encode()) + "." + base64url(json.dumps(claims).encode())
        signature = openssl("dgst", "-sha256", "-sign", self._key, input=signed.encode())
        if self.algorithm == "ES256":
            signature = plain(signature)
        return f"{signed}.{base64url(signature)}"


def plain(signature):
    """r and s of an ECDSA signature in DER, 32 bytes each."""
    def integer(at):
        length = signature[at + 1]
        return signature[at + 2:at + 2 + length].lstrip(b"\0").rjust(32, b"\0"), at + 2 + length
    r, at = integer(2)
    return r + integer(at)[0]


def make_pair(folder):
    """A certificate for loopback and its key, as files."""
    certificate, key = folder / "tls.pem", folder / "tls.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=app.example.com", "-addext", "subjectAltName=DNS:app.example.com,IP:127.0.0.1",
            "-keyout", key, "-out", certificate)
    key.chmod(0o600)
    return certificate, key
