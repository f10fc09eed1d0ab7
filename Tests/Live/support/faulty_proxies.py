"""Proxies of others that ask Gatehouse, set up by what `gatehouse snippet` prints, and ways to break that."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: Where `examples/lib` installs the proxies that Debian does not have.
INSTALLED = ROOT / ".build-python-proxies" / "bin"
PATH = os.pathsep.join([
    os.environ.get("GATEHOUSE_PROXIES", str(INSTALLED)), "/usr/sbin", "/usr/local/sbin", os.environ["PATH"]])


class Planted:
    """A fault: what is changed in the printed configuration, what the doctor calls it, what else it may see because
    of it, and a part of the line that it must name."""

    def __init__(self, fault, line, *changes, also=()):
        self.fault = fault
        self.line = line
        self.changes = changes
        self.also = also


def changed(text, changes):
    for old, new in changes:
        assert old in text, f"not in the snippet: {old}"
        text = text.replace(old, new)
    return text


class Proxy:
    name = ""
    #: Of the snippet.
    file = ""
    #: Other files that it needs: name and text, with `{front}` for its port.
    frame = {}
    arguments = ()
    faults = {}

    def program(self):
        return shutil.which(self.name, path=PATH)

    def write(self, folder, gate, front, changes):
        """Returns the files in which a fault may be."""
        text = gate.cli("snippet", self.name, "--listen", f"127.0.0.1:{front}").stdout
        (folder / self.file).write_text(changed(text, changes))
        for name, frame in self.frame.items():
            (folder / name).write_text(frame.replace("{front}", str(front)))
        return [folder / self.file]

    def command(self):
        return [self.program(), *self.arguments]


class Nginx(Proxy):
    name = "nginx"
    file = "gatehouse.conf"
    arguments = ("-p", ".", "-c", "nginx.conf")
    frame = {"nginx.conf": """daemon off;
pid nginx.pid;
error_log error.log;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include gatehouse.conf;
}
"""}
    _own = "    location @gatehouse_401 {"
    faults = {
        "a header is not set": Planted(
            "identity_forged", "auth_request_set $gatehouse_remote_groups",
            ("        proxy_set_header Remote-Groups $gatehouse_remote_groups;\n", "")),
        "a header is the client's": Planted(
            "identity_forged", "proxy_set_header Remote-User $http_remote_user",
            ("proxy_set_header Remote-User $gatehouse_remote_user", "proxy_set_header Remote-User $http_remote_user"),
            also=["identity_missing"]),
        "headers with underscores": Planted(
            "identity_aliased", "underscores_in_headers on",
            ("underscores_in_headers off", "underscores_in_headers on"), also=["forwarding_aliased"]),
        "the cookie": Planted(
            "credential_leaked", "auth_request_set $gatehouse_cookie",
            ("        proxy_set_header Cookie $gatehouse_cookie;\n", "")),
        "the key": Planted(
            "credential_leaked", "auth_request_set $gatehouse_x_api_key",
            ("        proxy_set_header X-API-Key $gatehouse_x_api_key;\n", "")),
        "a suffix without a check": Planted(
            "unguarded", r"location ~ \.css$",
            (_own, "    location ~ \\.css$ { proxy_pass http://app_canary; }\n" + _own), also=["path_ambiguous"]),
        "a network without a check": Planted(
            "unguarded", "satisfy any",
            ("        auth_request /internal/gatehouse/canary;\n",
             "        satisfy any;\n        allow 127.0.0.1;\n        deny all;\n"
             "        auth_request /internal/gatehouse/canary;\n"),
            also=["path_ambiguous", "described_by_client", "identity_missing"]),
        "the client's description": Planted(
            "described_by_client", "$http_x_original_url",
            ("X-Original-URL $scheme://$http_host$request_uri", "X-Original-URL $described"),
            ("map $http_upgrade $gatehouse_connection",
             "map $http_x_original_url $described { \"\" $scheme://$http_host$request_uri;"
             " default $http_x_original_url; }\nmap $http_upgrade $gatehouse_connection")),
        "the decoded path": Planted(
            "path_ambiguous", "set $asked $uri", ("$scheme://$http_host$request_uri", "$scheme://$http_host$asked"),
            ("        auth_request /internal", "        set $asked $uri;\n        auth_request /internal")),
        "the client's address": Planted(
            "forwarding_forged", "$http_x_forwarded_for",
            ("        proxy_set_header X-Forwarded-For $remote_addr;\n        proxy_set_header X-Forwarded-Proto",
             "        proxy_set_header X-Forwarded-For $http_x_forwarded_for;\n"
             "        proxy_set_header X-Forwarded-Proto")),
        "the check endpoint": Planted(
            "check_exposed", "location", ("    location ^~ /.auth/check { return 404; }\n", "")),
        "a redirect to any host": Planted(
            "open_redirect", "return 302 https://$http_x_forwarded_host",
            ("        auth_request /internal/gatehouse/canary;\n",
             "        if ($http_x_forwarded_host) {\n"
             "            return 302 https://$http_x_forwarded_host$request_uri;\n        }\n"
             "        auth_request /internal/gatehouse/canary;\n")),
        "a path in a header": Planted(
            "header_injected", "return 302 https://canary.example.com$uri",
            (_own, "    location /x { return 302 https://canary.example.com$uri; }\n" + _own)),
    }


class Caddy(Proxy):
    name = "caddy"
    file = "gatehouse.caddy"
    arguments = ("run", "--config", "Caddyfile", "--adapter", "caddyfile")
    frame = {"Caddyfile": "{\n admin off\n auto_https off\n persist_config off\n}\nimport gatehouse.caddy\n"}
    faults = {
        "a header is not copied": Planted(
            "identity_forged", "copy_headers",
            ("            request_header -Remote-*\n", ""),
            ("Remote-Name Remote-Groups Gatehouse-Assertion", "Remote-Name Gatehouse-Assertion")),
        "the credentials": Planted(
            "credential_leaked", "copy_headers", ("Cookie Authorization X-API-Key X-Request-Id", "X-Request-Id")),
        "a folder without a check": Planted(
            "unguarded", "handle /static/*",
            ("        handle {\n            route {",
             "        handle /static/* {\n            reverse_proxy CANARY\n        }\n"
             "        handle {\n            route {"),
            also=["path_ambiguous"]),
        "the client's address": Planted(
            "forwarding_forged", "header_up X-Forwarded-For {header.X-Forwarded-For}",
            ("                header_up -Gatehouse-Key\n",
             "                header_up -Gatehouse-Key\n"
             "                header_up X-Forwarded-For {header.X-Forwarded-For}\n")),
        "the check endpoint": Planted(
            "check_exposed", "handle /.auth/*", ("        handle /.auth/check* {\n            respond 404\n        }\n", "")),
        "a redirect to any host": Planted(
            "open_redirect", "redir",
            ("            forward_auth ",
             "            @elsewhere header X-Forwarded-Host *\n"
             "            redir @elsewhere https://{header.X-Forwarded-Host}{uri}\n            forward_auth ")),
    }


class Traefik(Proxy):
    name = "traefik"
    file = "routes.yaml"
    arguments = ("--configFile=traefik.yaml",)
    frame = {"traefik.yaml": """entryPoints: { web: { address: "127.0.0.1:{front}" } }
providers: { file: { filename: routes.yaml } }
log: { level: ERROR }
global: { checkNewVersion: false, sendAnonymousUsage: false }
"""}
    _regex = "        authResponseHeadersRegex: "
    faults = {
        "a header is not taken from the answer": Planted(
            "identity_forged", "authResponseHeaders",
            ("          - Remote-Groups\n", ""), ("(?i)^(remote|", "(?i)^("),),
        "headers with underscores": Planted(
            "identity_aliased", "middlewares", (_regex, "        # "), also=["forwarding_aliased"]),
        "the cookie": Planted("credential_leaked", "authResponseHeaders", ("          - Cookie\n", "")),
        "a folder without a check": Planted(
            "unguarded", "PathPrefix(`/static/`)",
            ("  routers:\n",
             "  routers:\n    static:\n      rule: 'Host(`canary.example.com`) && PathPrefix(`/static/`)'\n"
             "      service: app-canary\n      priority: 60000\n"), also=["path_ambiguous"]),
        "the check endpoint": Planted(
            "check_exposed", "/.auth", (" && !PathPrefix(`/.auth/check`)", "")),
    }


class HAProxy(Proxy):
    name = "haproxy"
    file = "gatehouse.cfg"
    arguments = ("-f", "haproxy.cfg", "-f", "gatehouse.cfg")
    frame = {"haproxy.cfg": """global
    log stderr local0 notice
defaults
    timeout connect 5s
    timeout client 1m
    timeout server 1m
"""}
    _ask = "    http-request lua.gatehouse "
    _first = "    http-request set-header X-Forwarded-For %[src]\n"
    _last = "    # Whoever was not asked about goes nowhere.\n"

    def write(self, folder, gate, front, changes):
        (folder / "gatehouse.lua").write_text(gate.cli("snippet", "haproxy", "--lua").stdout)
        return super().write(folder, gate, front, changes)


def _kept(header):
    """The client's own header is put back behind the question."""
    ask, last = HAProxy._ask, HAProxy._last
    return [(ask, f"    http-request set-var(txn.kept) req.fhdr({header})\n{ask}"),
            (last, f"    http-request set-header {header} %[var(txn.kept)] if {{ var(txn.kept) -m found }}\n{last}")]


HAProxy.faults = {
    "a header is the client's": Planted("identity_forged", "set-header Remote-User", *_kept("Remote-User")),
    "a header with underscores": Planted("identity_aliased", "set-header remote_user", *_kept("remote_user")),
    "the key": Planted("credential_leaked", "set-header X-API-Key", *_kept("X-API-Key")),
    "the client's address": Planted("forwarding_forged", "set-header X-Forwarded-For",
        (HAProxy._first, "    http-request set-var(txn.kept) req.fhdr(X-Forwarded-For)\n" + HAProxy._first),
        _kept("X-Forwarded-For")[1]),
    "a suffix without a check": Planted(
        "unguarded", "path_end .css", (" if !{ path_beg /.auth/ } {", " if !{ path_beg /.auth/ } !{ path_end .css } {"),
        ("unless { var(txn.gatehouse) -m found } or", "unless { var(txn.gatehouse) -m found } or { path_end .css } or"),
        ("    use_backend app_canary if", "    use_backend app_canary if { path_end .css }\n    use_backend app_canary if"),
        also=["path_ambiguous"]),
    "the check endpoint": Planted(
        "check_exposed", "use_backend", ("    http-request deny deny_status 404 if { path_beg /.auth/check }\n", "")),
}


class Envoy(Proxy):
    name = "envoy"
    file = "envoy.yaml"
    arguments = ("-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1")
    _open = ("typed_per_filter_config: { envoy.filters.http.ext_authz: { \"@type\": type.googleapis.com/"
             "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true } }")
    faults = {
        "a header is not taken from the answer": Planted(
            "identity_forged", "allowed_upstream_headers",
            ("{ prefix: remote- }", "{ prefix: no-remote- }"),
            (" { exact: remote-groups },", "")),
        "headers with underscores": Planted(
            "identity_aliased", "headers_with_underscores_action: ALLOW",
            ("headers_with_underscores_action: DROP_HEADER", "headers_with_underscores_action: ALLOW"),
            ("'[^:].*[^a-z0-9-].*'", "'[^:].*[^a-z0-9_-].*'"), also=["forwarding_aliased"]),
        "the client's address": Planted(
            "forwarding_forged", "use_remote_address: false",
            ("use_remote_address: true", "use_remote_address: false")),
        "the check endpoint": Planted(
            "check_exposed", "prefix: /.auth/", ("- match: { prefix: /.auth/check }", "- match: { prefix: /never }")),
        "a folder without a check": Planted(
            "unguarded", "prefix: /static/",
            ("              - match: { prefix: / }\n                route: { cluster: app_canary",
             "              - match: { prefix: /static/ }\n                route: { cluster: app_canary }\n"
             f"                {_open}\n"
             "              - match: { prefix: / }\n                route: { cluster: app_canary"),
            also=["path_ambiguous"]),
    }


PROXIES = {proxy.name: proxy for proxy in (Nginx(), Caddy(), Traefik(), HAProxy(), Envoy())}
