"""Debian's glewlwyd, an OpenID provider that others wrote: SQLite below it, all else by its own REST API. It checks
PKCE, and refuses a code that comes a second time."""

import http.cookiejar
import json
import os
import shutil
import subprocess
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.gatehouse import free_ports
from support.waiting import eventually

SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
WEBAPP = Path("/usr/share/glewlwyd/webapp")
CLIENT, SECRET, PASSWORD = "gatehouse", "gatehouse's own secret", "correct horse"

CONFIGURATION = """
port={port}
bind_address="127.0.0.1"
external_url="{url}"
login_url="login.html"
api_prefix="api"
static_files_path="{folder}/webapp/"
log_mode="file"
log_level="DEBUG"
log_file="{folder}/glewlwyd.log"
cookie_domain="127.0.0.1"
cookie_secure=0
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
user_middleware_module_path="/usr/lib/glewlwyd/user_middleware"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
static_files_mime_types = (
  {{ extension = ".html" mime_type = "text/html" compress = 0 }}, {{ extension = ".css" mime_type = "text/css" compress = 0 }},
  {{ extension = ".js" mime_type = "application/javascript" compress = 0 }},
  {{ extension = ".json" mime_type = "application/json" compress = 0 }}
);
database = {{ type = "sqlite3" path = "{folder}/glewlwyd.db" }};
"""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


class Session:
    """One browser at the provider."""

    def __init__(self, url):
        self.url = url
        self.opener = urllib.request.build_opener(
            NoRedirect, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def send(self, method, path, document=None):
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(
            path if path.startswith("http") else self.url + "/api" + path, data, method=method,
            headers={"Content-Type": "application/json"})
        try:
            response = self.opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            response = error
        return response.status, dict(response.headers), response.read()

    def must(self, method, path, document=None):
        status, headers, body = self.send(method, path, document)
        assert status == 200, (method, path, status, body)
        return json.loads(body) if body else None

    def sign_in(self, user, password=PASSWORD):
        self.must("POST", "/auth/", {"username": user, "password": password})


class Glewlwyd:
    def __init__(self, folder, redirect_uri, access_token_lasts=600):
        self.access_token_lasts = access_token_lasts
        folder.mkdir(parents=True, exist_ok=True)
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.issuer = self.url + "/api/oidc"
        database = sqlite3.connect(folder / "glewlwyd.db")
        database.executescript(SCHEMA.read_text())
        database.commit()
        database.close()
        # Debian's pages look for their settings where it has put a folder.
        shutil.copytree(WEBAPP, folder / "webapp", ignore=shutil.ignore_patterns("config.json"))
        shutil.copy(WEBAPP.parent / "templates" / "config.json", folder / "webapp" / "config.json")
        configuration = folder / "glewlwyd.conf"
        configuration.write_text(CONFIGURATION.format(port=self.port, url=self.url, folder=folder))
        self.log = open(folder / "output", "wb")
        self.process = subprocess.Popen(["/usr/bin/glewlwyd", "--config-file", str(configuration)],
                                        stdout=self.log, stderr=self.log, cwd=folder)
        try:
            admin = Session(self.url)
            eventually(lambda: self._answers(admin), 20, "glewlwyd")
            admin.sign_in("admin", "password")
            self._set_up(admin, redirect_uri)
        except BaseException:
            self.stop()
            raise

    def _answers(self, session):
        try:
            return session.send("GET", self.url + "/config")[0] == 200
        except OSError:
            return False

    def _set_up(self, admin, redirect_uri):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        admin.must("PUT", "/mod/user/database", {
            "module": "database", "name": "database", "display_name": "Database", "order_rank": 0, "readonly": False,
            "parameters": {"use-glewlwyd-connection": True, "data-format": {
                "verified": {"multiple": False, "read": True, "write": True, "profile-read": True}}}})
        admin.must("PUT", "/mod/user/database/reset")
        admin.must("POST", "/mod/plugin/", {
            "module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "parameters": {
                "iss": self.issuer, "jwt-type": "rsa", "jwt-key-size": "256",
                "key": key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()).decode(),
                "cert": key.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
                "access-token-duration": self.access_token_lasts, "refresh-token-duration": 600, "code-duration": 60,
                "refresh-token-rolling": True, "allow-non-oidc": True, "auth-type-code-enabled": True,
                "auth-type-token-enabled": False, "auth-type-implicit-enabled": False,
                "auth-type-password-enabled": False, "auth-type-client-enabled": False,
                "auth-type-refresh-enabled": True, "auth-type-none-enabled": False, "subject-type": "public",
                "pkce-allowed": True, "pkce-required": True, "pkce-method-plain-allowed": False, "jwks-show": True,
                "name-claim": "mandatory", "email-claim": "mandatory",
                "claims": [{"name": "email_verified", "user-property": "verified", "type": "boolean",
                            "boolean-value-true": "yes", "boolean-value-false": "no", "mandatory": True}]}})
        admin.must("POST", "/client/", {
            "client_id": CLIENT, "name": "Gatehouse", "client_secret": SECRET, "confidential": True,
            "redirect_uri": [redirect_uri], "authorization_type": ["code", "refresh_token"], "enabled": True,
            "scope": [], "token_endpoint_auth_method": ["client_secret_basic", "client_secret_post"]})
        for scope in ("profile", "email"):
            admin.must("POST", "/scope/", {"name": scope, "display_name": scope, "password_required": False,
                                           "scheme": {}})
        self.admin = admin

    def add_user(self, name, email, verified=True):
        self.admin.must("POST", "/user/", {
            "username": name, "name": name.title(), "email": email, "password": PASSWORD, "enabled": True,
            "scope": ["openid", "profile", "email", "g_profile"], "verified": "yes" if verified else "no"})

    def authorize(self, url, user):
        """Signs in there and agrees; the callback's address with its parameters."""
        session = Session(self.url)
        session.sign_in(user)
        session.must("PUT", f"/auth/grant/{CLIENT}", {"scope": "openid profile email"})
        status, headers, body = session.send("GET", url + "&g_continue")
        assert status == 302, (status, body)
        address, _, query = headers["Location"].partition("?")
        return address, dict(urllib.parse.parse_qsl(query))

    def user_info(self, token):
        """What a bearer of this access token is told."""
        request = urllib.request.Request(
            self.issuer + "/userinfo", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.loads(response.read())

    def settings(self, **changes):
        return {"id": "corp", "kind": "oidc", "issuer": self.issuer, "client_id": CLIENT, "client_secret": SECRET,
                "accept": "anyone", "create_users": True} | changes

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def is_installed():
    return os.path.exists("/usr/bin/glewlwyd") and SCHEMA.exists()
