"""An OAuth 2.0 provider that speaks no OpenID Connect, under test control: right unless told otherwise. Its user info is
shaped as those of forges and chats are, which name things as they like and nest them."""

import secrets
import urllib.parse

from support.provider import CLIENT, SECRET, Provider

# A number for the person, addresses in a list, groups under a name that is an address: what `claims` is for.
PROFILE = {
    "data": {
        "id": 4_711, "login": "lena", "display": {"name": "Lena Lind"},
        "emails": [{"value": "lena@corp.example", "confirmed": True}, {"value": "lena@elsewhere.example"}],
    },
    "https://forge.example/teams": ["core", "docs"],
}
CLAIMS = {"subject": "data.id", "email": "/data/emails/0/value", "email_verified": "data.emails.0.confirmed",
          "name": "data.display.name"}
GROUPS = {"claim": "/https:~1~1forge.example~1teams", "prefix": "forge:"}


class OAuth2(Provider):
    def __init__(self):
        super().__init__()

    def id_token(self, began, access):
        return None

    def _token(self, handler, body):
        self.authorized_by = "basic" if handler.headers["Authorization"] else "post"
        return super()._token(handler, body)

    def _info(self, handler, body):
        person = self.tokens.get((handler.headers["Authorization"] or "").removeprefix("Bearer "))
        return (200, {}, person) if person is not None else (401, {}, {"message": "Bad credentials"})

    def authorize(self, url, any=None, **profile):
        parts = urllib.parse.urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == self.issuer + "/authorize", url
        asked = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=True))
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT, asked
        assert asked["code_challenge_method"] == "S256" and "nonce" not in asked, asked
        assert asked["scope"] == "user:read", asked
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked | {"person": profile or PROFILE}
        return asked["redirect_uri"], {"code": code, "state": asked["state"]}

    def settings(self, id="forge", **changes):
        return {"id": id, "kind": "oauth2", "client_id": CLIENT, "client_secret": SECRET, "scopes": ["user:read"],
                "authorization_endpoint": self.issuer + "/authorize", "token_endpoint": self.issuer + "/token",
                "userinfo_endpoint": self.issuer + "/userinfo", "claims": CLAIMS, "groups": GROUPS,
                "accept": "anyone", "create_users": True} | changes
