"""Sign in with Apple as its public documentation describes it (developer.apple.com/documentation/signinwithapplerestapi),
in the documents that it shows there; the configuration is the one for the real Apple, but for the address. What it is
strict about is what the real one is strict about: the client secret is a token signed with the operator's key, name and
address are told by form_post alone, and the name once."""

import html
import json
import time
import urllib.parse

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.provider import Provider

CLIENT, TEAM, KEY = "com.example.gatehouse", "A1B2C3D4E5", "F6G7H8I9J0"
SIX_MONTHS = 15_777_000
# https://appleid.apple.com/.well-known/openid-configuration says these of itself.
METADATA = {
    "userinfo_endpoint": None, "authorization_response_iss_parameter_supported": None,
    "token_endpoint_auth_methods_supported": ["client_secret_post"], "response_types_supported": ["code"],
    "response_modes_supported": ["query", "fragment", "form_post"], "subject_types_supported": ["pairwise"],
    "id_token_signing_alg_values_supported": ["RS256"], "scopes_supported": ["openid", "email", "name"],
    "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "is_private_email", "iss", "nonce",
                         "nonce_supported", "real_user_status", "sub", "transfer_sub"],
}
# The payload of an ID token, and what comes beside the first answer.
PERSON = {"sub": "001473.fe6f83bf4b8e4590aacbabdcb8598bd0.2039", "email": "jane@corp.example", "email_verified": "true",
          "nonce_supported": True, "auth_time": 0}
USER = {"name": {"firstName": "Jane", "lastName": "Appleseed"}, "email": "jane@corp.example"}
RELAY = PERSON | {"email": "dpdcnf87nu@privaterelay.appleid.com", "is_private_email": "true"}

# Apple's own page ends like this; whoever has no JavaScript presses the button.
PAGE = """<!DOCTYPE html><html lang="en"><title>Sign in with Apple</title><h1>Apple</h1>
<form method="post" action="{action}">{fields}<button>Continue</button></form>
<script>document.forms[0].submit()</script></html>"""


class Apple(Provider):
    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.secrets = []
        self.known = set()
        self.person = PERSON
        super().__init__("RS256", **METADATA)

    def p8(self):
        """The file that Apple's console hands out."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()

    def knows(self, handler, form):
        # Apple documents no client_secret_basic.
        assert not handler.headers["Authorization"] and form["client_id"] == CLIENT, form
        secret = form["client_secret"]
        self.secrets.append(secret)
        try:
            claims = jwt.decode(secret, self.private.public_key(), algorithms=["ES256"], audience=self.issuer,
                                issuer=TEAM, options={"require": ["iss", "iat", "exp", "aud", "sub"]})
        except jwt.InvalidTokenError:
            return False
        head = jwt.get_unverified_header(secret)
        return (head["kid"] == KEY and head["alg"] == "ES256" and claims["sub"] == CLIENT
                and time.time() < claims["exp"] <= claims["iat"] + SIX_MONTHS)

    def id_token(self, began, access):
        claims = dict(began["person"])
        if "auth_time" in claims:
            claims["auth_time"] = int(time.time())
        return super().id_token(began | {"person": {"aud": CLIENT} | claims}, access)

    def authorize(self, url, **person):
        parts = urllib.parse.urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == self.issuer + "/authorize", url
        asked = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=True))
        scopes = set(asked["scope"].split())
        assert asked["client_id"] == CLIENT and scopes <= {"openid", "name", "email"}, asked
        assert asked["response_type"] == "code" and asked["response_mode"] == "form_post", asked
        assert asked["code_challenge_method"] == "S256", asked
        code = "c" + jwt.utils.base64url_encode(asked["state"].encode()).decode()[:40] + ".0.rrw.f"
        person = person or self.person
        self.codes[code] = asked | {"person": person}
        fields = {"state": asked["state"], "code": code}
        if person["sub"] not in self.known and "name" in scopes:
            self.known.add(person["sub"])
            fields["user"] = json.dumps(USER | {"email": person.get("email")})
        return asked["redirect_uri"], fields

    def _handle(self, handler, body):
        if not handler.path.startswith("/authorize?"):
            return super()._handle(handler, body)
        address, fields = self.authorize(self.issuer + handler.path)
        page = PAGE.format(action=html.escape(address), fields="".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()))
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.send_header("Content-Length", str(len(page.encode())))
        handler.end_headers()
        handler.wfile.write(page.encode())

    def settings(self, folder, id="apple", **changes):
        """Its entry in `login.providers`, with the key in a file of that folder."""
        path = folder / f"AuthKey_{KEY}.p8"
        if not path.exists():
            path.touch(0o600)
            path.write_text(self.p8())
        return {"id": id, "kind": "apple", "issuer": self.issuer, "client_id": CLIENT, "team_id": TEAM, "key_id": KEY,
                "private_key": {"file": str(path)}, "accept": "anyone", "create_users": True} | changes
