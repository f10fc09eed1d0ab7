"""What every proxy in front of Gatehouse has to show; `run --check` of each example goes through this list.

Requests are written on raw sockets, by what the live tests use: no library tidies them up.
"""

import urllib.parse

from support.browser import Browser
from support.wire import Connection, head, request

PASSWORD = "three quiet herons fly"
# Spellings that servers take for one, and further names under which apps look for a user, a path or a method.
FORGED = [
    "Remote-User", "remote_user", "REMOTE-USER", "Remote_User", "Remote.User", "Remote-Groups", "remote_groups",
    "Remote_Groups", "Remote-Email", "X-Remote-User", "X_Remote_User", "X-Forwarded-User", "X_Forwarded_User",
    "X-Forwarded-Groups", "X-Forwarded-Email", "X-Auth-Request-User", "X_Auth_Request_User", "X-WEBAUTH-USER",
    "X_WEBAUTH_USER", "Gatehouse-Assertion", "Gatehouse_Assertion", "Gatehouse-Key", "X-Original-URL", "X_Original_URL",
    "X-Original-URI", "X-Original-Method", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Method-Override", "Forwarded",
    "X-Forwarded_User", "X_Forwarded-User", "X-HTTP_Method-Override", "X-HTTP-Method_Override", "Remote-User_", "X-Remote.User",
    "X-Auth-Request_User", "X-Original_URL", "X-Webauth_User", "Gatehouse_Assertion", "Remote!User", "Remote~User", "Remote#User",
    "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-IP", "X-Real_IP", "X-Remote-Addr", "X-Client-Cert",
    "X-Client-Cert-Subject", "X-Envoy-External-Address", "X-Envoy-Original-Path", "Proxy-User", "Proxy_User", "X-Webauth-Role",
    "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-Forwarded-Scheme",
    "X-Forwarded-Ssl", "X-Forwarded-Path", "X-Forwarded-By", "X-Forwarded-Roles", "X-Forwarded-Name", "Remote-Role",
    "X-Remote-Role", "X-Auth-Request-Roles", "X-Webauth-Admin", "X-Gatehouse-User",
]
# Descriptions of a public path by the client.
DESCRIPTIONS = [
    ("X-Original-URL", "http://app.example.com/public/x"), ("X_Original_URL", "http://app.example.com/public/x"),
    ("X-Forwarded-Uri", "/public/x"), ("X_Forwarded_Uri", "/public/x"), ("X-Forwarded-Host", "open.example.com"),
    ("X_Forwarded_Host", "open.example.com"), ("X-Original-URI", "/public/x"), ("X-Rewrite-URL", "/public/x"),
    ("X-Original-Method", "OPTIONS"), ("X-Forwarded-Method", "OPTIONS"), ("X-Forwarded-Prefix", "/public"),
    ("X-Envoy-Original-Path", "/public/x"), ("X-Forwarded-For", "127.0.0.1"), ("Connection", "X-Original-URL, X-Forwarded-Uri"),
    ("Gatehouse-Proxy-Secret", "x"), ("Remote-User", "mary"), ("X-Real-Ip", "10.0.0.1"),
]


class Proofs:
    """`gate` is the Gatehouse behind `proxy`; `report` gets (what, whether, otherwise what was seen)."""

    def __init__(self, gate, proxy, report):
        self.gate = gate
        self.proxy = proxy
        self.kind = proxy.kind
        self.app = f"http://app.example.com:{proxy.port}"
        self.portal = f"http://auth.example.com:{proxy.port}"
        self.report = report

    def prepare(self):
        self.gate.add_user("mary", ["staff"], name="Mary Major")
        self.gate.cli("user", "set-password", "mary", input=PASSWORD + "\n")
        made = self.gate.add_key("mary", "laptop")
        self.key, self.key_id = made["key"], made["id"]
        self.reader = self.gate.add_key("mary", "reader", scopes="app:read")["key"]

    # Asking

    def get(self, path, headers=(), method="GET", body=None, key=None):
        headers = list(headers) + ([("X-API-Key", key)] if key else [])
        return request(self.proxy.port, path, f"app.example.com:{self.proxy.port}", method, headers, body)

    def expect(self, what, response, status, *, code=None, **told):
        wanted = status if isinstance(status, tuple) else (status,)
        ok = response.status in wanted
        if ok and code:
            ok = response.get("Gatehouse-Reason") == code
        if ok and told:
            seen = response.json()
            ok = all(seen.get(name) == value for name, value in told.items())
        self.report(f"{what} ({'/'.join(map(str, wanted))})", ok, response)
        return response

    def all(self):
        self.programs()
        self.people()
        self.keys()
        self.forged()
        self.paths()
        self.nobody_describes()
        self.revoked()
        self.alone()

    def programs(self):
        refused = self.expect("a program without a credential is refused", self.get("/report"), 401, code="sign_in_required")
        self.report("  by its status, not by a redirect", "Location" not in refused, refused)
        self.report("  with a challenge", refused.get("WWW-Authenticate", "").startswith("Bearer"), refused)
        self.expect("a public path needs none, and the app is told of nobody", self.get("/public/page"), 200, user="")

    def people(self):
        browser = Browser(self.proxy)
        refused = browser.send("GET", self.app + "/page?a=b")
        ok = refused.status == self.kind.redirect
        place = urllib.parse.urlsplit(refused.get("Location", ""))
        asked = urllib.parse.parse_qs(place.query).get("return_to")
        self.report(f"a browser is sent to sign in ({self.kind.redirect})", ok and place.path == "/.auth/login", refused)
        self.report("  and knows the way back", asked == [self.app + "/page?a=b"], refused)
        browser.follow(refused)
        page = browser.submit(identifier="mary", password=PASSWORD)
        self.expect("who signs in gets the page that was asked for", page, 200, user="mary", path="/page", query="a=b")
        cookies = browser.cookies_for("app.example.com")
        sent = [("Cookie", "; ".join([f"{name}={value}" for name, value in cookies.items()] + ["theirs=1"]))]
        told = self.expect("the session is let in", self.get("/page", sent), 200, user="mary")
        headers = told.json()["headers"] if told.status == 200 else {}
        self.report("  the app sees its own cookie and no other", headers.get("COOKIE") == "theirs=1", told)
        denied = browser.send("GET", self.app + "/admin/x")
        self.report("a browser without the group is sent to a page that says so",
                    denied.status == self.kind.redirect and "/.auth/denied?request=" in denied.get("Location", ""), denied)
        self.expect("the same by a program", self.get("/admin/x", sent), 403, code="group_missing")
        browser.open(self.portal + "/.auth/logout")
        browser.submit("/.auth/logout")
        self.expect("after signing out the very next request is refused", self.get("/page", sent), 401)

    def keys(self):
        told = self.expect("an API key is let in", self.get("/report?x=1", key=self.key), 200, user="mary", query="x=1")
        headers = told.json()["headers"] if told.status == 200 else {}
        for name, value in [("REMOTE_EMAIL", "mary@example.com"), ("REMOTE_NAME", "Mary Major"), ("REMOTE_GROUPS", "staff")]:
            self.report(f"  the app is told {name}", headers.get(name) == value, told)
        self.report("  and a signed assertion", headers.get("GATEHOUSE_ASSERTION", "").count(".") == 2, told)
        for name, value in [("X-API-Key", self.key), ("Gatehouse-Key", self.key), ("Authorization", f"Bearer {self.key}")]:
            told = self.expect(f"a key as {name} is let in", self.get("/report", [(name, value)]), 200, user="mary")
            self.report("  and never reaches the app", self.key.encode() not in told.body, told)
        theirs = [("Authorization", "Bearer theirs"), ("Gatehouse-Key", self.key)]
        told = self.expect("a token of the app goes through", self.get("/report", theirs), 200, user="mary")
        self.report("  as it is", told.status == 200 and told.json()["headers"].get("AUTHORIZATION") == "Bearer theirs", told)
        posted = self.get("/report", method="POST", body=b"a=b", key=self.key)
        self.expect("a body goes to the app, by the client's method", posted, 200, method="POST", length=3)
        self.expect("a scope that the key has", self.get("/api/list", key=self.reader), 200)
        self.expect("one that it lacks", self.get("/api/list", method="POST", body=b"", key=self.reader), 403,
                    code="scope_missing")

    def forged(self):
        for name in FORGED:
            for path, key in [("/public/page", None), ("/report", self.key)]:
                if name == "Gatehouse-Key" and key:
                    continue
                response = self.get(path, [(name, "f0rged")], key=key)
                passed = response.status == 200 and b"f0rged" not in response.body
                self.report(f"a forged {name} does not reach the app at {path}", passed or response.status in (400, 403),
                            response)
        told = self.get("/report", [("Connection", "Remote-User, Remote-Groups")], key=self.key)
        self.expect("a Connection header that names ours takes nothing away", told, 200, user="mary")

    def paths(self):
        for path in ["/%61dmin/x", "/admin;a/x", "/./admin/x", "/public/../admin/x", "/public/%2e%2e/admin/x", "/public/..;/admin/x",
                     "/public//../admin", "/public/%2f..%2fadmin", "/admin/x?/public/", "/public\\..\\admin", "/x/../public/../admin/x"]:
            response = self.get(path, key=self.key)
            # A proxy that takes dots out by itself is asked about, and forwards, what is left.
            elsewhere = response.status != 200 or not response.json()["path"].startswith("/admin")
            self.report(f"{path} is no way to /admin", elsewhere, response)
        line = f"GET {self.app}/report HTTP/1.1"
        for host in ["open.example.com", "auth.example.com"]:
            with Connection(self.proxy.port) as connection:
                connection.send(f"{line}\r\nHost: {host}\r\n\r\n".encode())
                response = connection.read()
            self.report(f"an address that names one host beside Host: {host}", response.status in (400, 401, 421), response)

    def nobody_describes(self):
        for name, value in DESCRIPTIONS:
            response = self.get("/report", [(name, value)])
            self.report(f"a client that says {name}: {value} is refused", response.status in (400, 401, 403), response)
        own = [("X-Original-URL", "http://app.example.com/public/x"), ("X-Original-Method", "GET"),
               ("X-Forwarded-Uri", "/public/x"), ("X-Forwarded-Host", "app.example.com"), ("X-Forwarded-Method", "GET")]
        for path in [f"/.auth/check/{self.kind.name}", "/.auth/check/envoy/public/x", "/.auth/check"]:
            for host in ["auth.example.com", "app.example.com"]:
                response = request(self.proxy.port, path, f"{host}:{self.proxy.port}", headers=own + [("X-API-Key", self.key)])
                closed = response.status >= 400 or "Remote-User" not in response and "Gatehouse-Assertion" not in response
                self.report(f"{path} is not open to clients of {host}", closed, response)

    def revoked(self):
        self.gate.cli("api-key", "revoke", self.key_id)
        response = self.get("/report", key=self.key)
        self.expect("the very next request with a revoked key is refused", response, 401, code="credential_revoked")

    def alone(self):
        """Nobody gets in while Gatehouse cannot be asked."""
        self.gate.stop()
        for path in ["/report", "/public/page"]:
            response = self.get(path, key=self.reader)
            self.report(f"without Gatehouse nobody gets to {path}", response.status >= 500, response)
