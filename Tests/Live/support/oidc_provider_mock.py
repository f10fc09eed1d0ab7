"""PyPI's oidc-provider-mock, an OpenID provider that others wrote: pages that need no JavaScript, no PKCE, any secret."""

import json
import subprocess
import sys
import urllib.parse
import urllib.request

from support.gatehouse import free_ports
from support.waiting import eventually


class OIDCProviderMock:
    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        self.issuer = f"http://127.0.0.1:{port}"
        self.log = open(folder / "output", "wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"],
            stdout=self.log, stderr=self.log, cwd=folder)
        try:
            eventually(self._answers, 60, "oidc-provider-mock")
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        assert self.process.poll() is None, "it ended"
        try:
            return urllib.request.urlopen(self.issuer + "/.well-known/openid-configuration", timeout=10).status == 200
        except OSError:
            return False

    def add_user(self, subject, **claims):
        request = urllib.request.Request(
            f"{self.issuer}/users/{urllib.parse.quote(subject)}", json.dumps(claims).encode(), method="PUT",
            headers={"Content-Type": "application/json"})
        assert urllib.request.urlopen(request, timeout=20).status == 204

    def settings(self, id="mock", **changes):
        return {"id": id, "kind": "oidc", "issuer": self.issuer, "client_id": "gatehouse", "client_secret": "any secret",
                "accept": "anyone", "create_users": True} | changes

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
