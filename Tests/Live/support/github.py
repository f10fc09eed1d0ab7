"""GitHub's OAuth and REST API as its public documentation describes them, in the documents that it shows there. The
configuration is the one for the real GitHub, but for the address."""

import base64
import hashlib
import json
import secrets
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLIENT = "Iv1.8a61f9b3a7aba766"
SECRET = "github client secret"

# https://docs.github.com/en/rest/users/users#get-the-authenticated-user
USER = {
    "login": "octocat", "id": 1, "node_id": "MDQ6VXNlcjE=", "avatar_url": "https://github.com/images/error/octocat.gif",
    "gravatar_id": "", "url": "https://api.github.com/users/octocat", "html_url": "https://github.com/octocat",
    "type": "User", "site_admin": False, "name": "monalisa octocat", "company": "GitHub",
    "blog": "https://github.com/blog", "location": "San Francisco", "email": "octocat@github.com", "hireable": False,
    "bio": "There once was...", "public_repos": 2, "followers": 20, "following": 0, "two_factor_authentication": True,
    "plan": {"name": "Medium", "space": 400, "private_repos": 20, "collaborators": 0},
}
# https://docs.github.com/en/rest/users/emails#list-email-addresses-for-the-authenticated-user
EMAILS = [{"email": "octocat@github.com", "verified": True, "primary": True, "visibility": "public"}]
# https://docs.github.com/en/rest/orgs/orgs#list-organizations-for-the-authenticated-user
ORGS = [{"login": "github", "id": 1, "node_id": "MDEyOk9yZ2FuaXphdGlvbjE=",
         "url": "https://api.github.com/orgs/github", "description": "A great organization"}]
# https://docs.github.com/en/rest/teams/teams#list-teams-for-the-authenticated-user
TEAMS = [{"id": 1, "node_id": "MDQ6VGVhbTE=", "name": "Justice League", "slug": "justice-league",
          "privacy": "closed", "permission": "admin", "parent": None, "organization": ORGS[0]}]


class GitHub:
    def __init__(self):
        self.user, self.emails, self.orgs, self.teams = USER, EMAILS, ORGS, TEAMS
        self.codes, self.tokens, self.asked = {}, set(), []
        self.token_answer = None
        github = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(*github._api(self))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(*github._token(self, dict(urllib.parse.parse_qsl(body.decode()))))

            def answer(self, status, document):
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def _token(self, handler, form):
        if self.token_answer is not None:
            return 200, self.token_answer
        began = self.codes.pop(form.get("code"), None)
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if form.get("client_id") != CLIENT or form.get("client_secret") != SECRET:
            return 200, {"error": "incorrect_client_credentials"}
        if not began or began["code_challenge"] != challenge or began["redirect_uri"] != form["redirect_uri"]:
            # GitHub says 200 to that, too.
            return 200, {"error": "bad_verification_code",
                         "error_description": "The code passed is incorrect or expired.",
                         "error_uri": "https://docs.github.com/apps"}
        token = "gho_" + secrets.token_hex(18)
        self.tokens.add(token)
        if handler.headers["Accept"] != "application/json":
            return 200, f"access_token={token}&scope=&token_type=bearer".encode()
        return 200, {"access_token": token, "scope": began["scope"].replace(" ", ","), "token_type": "bearer"}

    def _api(self, handler):
        parts = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        self.asked.append(handler.path)
        if handler.headers["Authorization"].removeprefix("Bearer ") not in self.tokens:
            return 401, {"message": "Requires authentication"}
        if parts.path == "/api/v3/user":
            return 200, self.user
        lists = {"/api/v3/user/emails": self.emails, "/api/v3/user/orgs": self.orgs, "/api/v3/user/teams": self.teams}
        if parts.path not in lists:
            return 404, {"message": "Not Found"}
        if not isinstance(lists[parts.path], list):
            return 200, lists[parts.path]
        page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        return 200, lists[parts.path][(page - 1) * size:page * size]

    def authorize(self, url, **person):
        parts = urllib.parse.urlsplit(url)
        assert parts.path == "/login/oauth/authorize", url
        asked = dict(urllib.parse.parse_qsl(parts.query))
        assert asked["client_id"] == CLIENT and set(asked["scope"].split()) == {"read:user", "user:email", "read:org"}
        code = secrets.token_hex(10)
        self.codes[code] = asked
        return asked["redirect_uri"], {"code": code, "state": asked["state"]}

    def settings(self, id="github", **changes):
        return {"id": id, "kind": "github", "issuer": self.url, "client_id": CLIENT, "client_secret": SECRET,
                "accept": "anyone", "create_users": True} | changes
