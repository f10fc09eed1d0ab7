"""The people, keys and tokens that random requests come with."""

import base64
import time

import pyotp

from support.authenticator import Authenticator
from support.browser import Browser
from support.contract_model import NOBODY, Credential
from support.portal import PASSWORD, add_person, api, login

PORTAL = "https://auth.example.com"
COOKIE = "__Secure-gatehouse"
GROUPS = {"mary": ["staff"], "adam": ["staff", "admins"], "Otto": [], "tess": ["staff", "x/y:z"], "pia": ["staff"],
          "dora": ["staff"], "bot": ["bots"]}
# Label, owner, options of `api-key create`.
KEYS = [
    ("mary", "mary", {}), ("adam", "adam", {}), ("otto", "Otto", {}), ("bot", "bot", {}), ("tess", "tess", {}),
    ("dora", "dora", {}), ("gone", "mary", {}), ("mary-r", "mary", {"scopes": "r"}),
    ("mary-rw", "mary", {"scopes": "r,w"}), ("adam-w", "adam", {"scopes": "w"}), ("mary-r0", "mary", {"routes": "r0"}),
    ("mary-get", "mary", {"methods": "GET"}), ("mary-post", "mary", {"methods": "POST,OPTIONS"}),
    ("mary-net", "mary", {"networks": "203.0.113.0/24,2001:db8::/32"}),
    ("adam-r0r-get", "adam", {"routes": "r0,r1", "scopes": "r", "methods": "GET"}),
]


class People:
    """Makes accounts and keys on a gate that is not started yet; once it is, they sign in."""

    def __init__(self, gate):
        self.gate = gate
        for user, groups in GROUPS.items():
            if user == "bot":
                gate.add_user(user, groups, service=True)
            else:
                add_person(gate, user, groups, **({"name": "Mary Major"} if user == "mary" else {}))
        self.keys = {label: gate.add_key(user, label, **options) for label, user, options in KEYS}

    def credentials(self, corp, flat, match, stranger):
        """All of them; the arguments are issuers, the last of which is not configured."""
        made = [NOBODY] + self._sessions() + self._keys() + self._tokens(corp, flat, match)
        made.append(Credential("foreign", bearer(stranger.token()), source="authorization"))
        apps_own = [("Authorization", "Basic Zm9vOmJhcg=="), ("X-API-Key", "app-key")]
        made.append(Credential("the app's own", apps_own, source="key"))
        self.gate.cli("api-key", "revoke", self.keys["gone"]["id"])
        self.gate.cli("user", "disable", "dora")
        return made

    # Sessions

    def _sessions(self):
        cookies = {user: self._cookie(user) for user in ("mary", "adam", "Otto")}
        made = [
            session(f"cookie of {user}", user, [("Cookie", f"a=b; {COOKIE}={cookie}; c=d")], "cookie", secret=cookie)
            for user, cookie in cookies.items()]
        both = f"{COOKIE}={cookies['mary']}; {COOKIE}={cookies['adam']}"
        made.append(Credential("two cookies", [("Cookie", both)], source="cookie"))
        made.append(Credential("stale cookie", [("Cookie", f"{COOKIE}={'A' * 43}")], source="cookie"))
        issued = self.gate.json("token", "issue", "--user", "adam")["access_token"]
        return made + [
            by_token("token of mary", "mary", self._token("mary")),
            by_token("token of tess, two factors", "tess", self._with_code("tess"), {"2"}),
            by_token("token of pia, passkey", "pia", self._with_passkey("pia"), {"2", "passkey"}),
            by_token("token for adam's scripts", "adam", issued, age=None),
        ]

    def _cookie(self, user):
        browser = Browser(self.gate)
        browser.open(PORTAL + "/.auth/login")
        browser.submit(identifier=user, password=PASSWORD)
        return browser.cookies_for("app.example.com")[COOKIE]

    def _token(self, user, **more):
        answer = login(self.gate, user, **more)
        assert answer.status == 200, answer
        return answer.json()["access_token"]

    def _with_code(self, user):
        token = self._token(user)
        totp = pyotp.TOTP(api(self.gate, "POST", "/2fa/setup", {}, token).json()["secret"])
        assert api(self.gate, "POST", "/2fa/verify", {"code": totp.now()}, token).status == 204
        return self._token(user, two_factor_code=totp.at(time.time() + 30))

    def _with_passkey(self, user):
        token = self._token(user)
        device = Authenticator(PORTAL, "auth.example.com")
        options = api(self.gate, "POST", "/passkeys/register/options", {}, token).json()
        assert api(self.gate, "POST", "/passkeys/register", device.create(options), token).status == 201
        options = api(self.gate, "POST", "/passkeys/login/options", {}).json()
        answer = api(self.gate, "POST", "/passkeys/login", device.get(options))
        assert answer.status == 200, answer
        return answer.json()["access_token"]

    # Keys

    def _keys(self):
        made = [self._key(label, user, options, "X-API-Key") for label, user, options in KEYS]
        made += [self._key("mary", "mary", {}, where) for where in ("Gatehouse-Key", "bearer", "basic")]
        made += [self._key("bot", "bot", {}, "bearer"), self._key("mary-rw", "mary", {"scopes": "r,w"}, "bearer")]
        for label, text in (("typo", "gate_" + "a" * 49), ("short", "gate_x")):
            made.append(Credential(label, [("X-API-Key", text)], bad="credential_unknown", source="key", secret=text))
        return made

    def _key(self, label, user, options, where):
        secret = self.keys[label]["key"]
        headers = {
            "bearer": bearer(secret),
            "basic": [("Authorization", "Basic " + base64.b64encode(f"x:{secret}".encode()).decode())],
        }.get(where, [(where, secret)])
        source = "authorization" if where in ("bearer", "basic") else "key"
        about = {"label": f"key {label} by {where}", "headers": headers, "source": source, "secret": secret,
                 "asked": ["--api-key", self.keys[label]["id"]]}
        bad = {"gone": "credential_revoked", "dora": "user_disabled"}.get(label)
        if bad:
            return Credential(bad=bad, **about)
        bounds = {name: options[name].split(",") for name in ("routes", "networks", "methods") if name in options}
        scopes = frozenset(options["scopes"].split(",")) if "scopes" in options else None
        return Credential(kind="api_key", scopes=scopes, bounds=bounds, **identity(user), **about)

    # Tokens of other issuers

    def _tokens(self, corp, flat, match):
        later, before = int(time.time()) + 7200, int(time.time()) - 3600

        def good(label, issuer, user, told, address="", **claims):
            headers = bearer(issuer.token(exp=later, **claims))
            scopes = frozenset(claims["scope"].split()) if claims["scope"] else None
            return Credential(
                label, headers, kind="jwt", user=user, groups=frozenset(told), scopes=scopes, source="authorization",
                email=address, secret=headers[0][1], asked=["--jwt", "-"])

        def bad(label, reason, **claims):
            headers = bearer(corp.token(**claims))
            return Credential(
                label, headers, bad=reason, source="authorization", secret=headers[0][1], asked=["--jwt", "-"])

        lena = {"sub": "lena", "groups": ["staff"]}
        return [
            good("jwt of lena", corp, "corp:lena", ["corp:staff"], **lena, scope=None),
            good("jwt of lena, scope r", corp, "corp:lena", ["corp:staff"], **lena, scope="r"),
            good("jwt of lena, empty scope", corp, "corp:lena", ["corp:staff"], **lena, scope=""),
            good("jwt of another MARY", flat, "MARY", ["staff"], sub="MARY", scope=None),
            good("jwt of zoe", flat, "zoe", ["admins"], sub="zoe", groups=["admins", "gatehouse-admins"], scope="r w"),
            good("jwt of adam by his address", match, "adam", GROUPS["adam"], "adam@example.com", sub="x",
                 groups=["bots"], email="adam@example.com", scope=None),
            bad("jwt for others", "credential_unknown", aud="other", exp=later),
            bad("jwt that is over", "credential_expired", exp=before),
        ]


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def identity(user):
    return {"user": user, "groups": frozenset(GROUPS[user]), "email": f"{user}@example.com",
            "name": "Mary Major" if user == "mary" else ""}


def session(label, user, headers, source, factors=(), age=5, secret=""):
    return Credential(label, headers, kind="session", source=source, factors=frozenset(factors), age=age, secret=secret,
                      **identity(user))


def by_token(label, user, token, factors=(), age=5):
    return session(label, user, bearer(token), "authorization", factors, age, "Bearer " + token)
