"""The rows of the table, one function a group: Gatehouse and its peers under the same load."""

from . import idle, signin, strangers
from .gate import DRAWN, Gate
from .issuer import Issuer, make_pair
from .loads import Load, SecureLoad, latencies, side_by_side
from .peers import caddy, envoy, forwarding, haproxy, nginx, nginx_with_jwt, traefik
from .processes import Together, free_port

HOST = "Host: app.example.com"
CHECK = ["X-Original-URL: http://app.example.com/page", "X-Original-Method: GET", "X-Forwarded-For: 127.0.0.1", HOST]
SIZES = {"1 kB": 1_000, "100 kB": 100_000, "10 MB": 10_000_000}


def check_load(credentials, header="X-API-Key"):
    return Load("/.auth/check/nginx", CHECK, credentials, header)


def get_load(credentials, header="X-API-Key", path="/page", connections=32):
    return Load(path, [HOST], credentials, header, connections)


class Bench:
    """What the rows share: options, the binary, a folder, an origin, an issuer."""

    def __init__(self, options, binary, folder, table):
        self.options, self.binary, self.folder, self.table = options, binary, folder, table
        self.issuer = Issuer(folder)
        for name, size in SIZES.items():
            (folder / name.replace(" ", "")).write_bytes(b"a" * size)
        self.origin = nginx(
            "origin", folder, f'location / {{ return 200 "{"a" * 100}"; }} location /bodies/ {{ alias {folder}/; }}')
        self.gates = 0

    def gate(self, **settings):
        self.gates += 1
        return Gate(self.binary, self.folder / f"gate-{self.gates}", self.origin.port,
                    settings.pop("key_set", self.issuer.key_set), **settings)

    def compare(self, work, ours, peer_name, peer, goal):
        """A row of two (service, load) pairs."""
        a, b = side_by_side([ours, peer], self.options)
        self.table.add(work, a, peer_name, b, goal)

    def missing(self, name):
        self.table.note(f"Not measured: {name} is not installed (.build-python-compare could not be made).")


def check(bench):
    gate = bench.gate()
    keys = gate.add_keys(1)
    ours = gate.serve("gatehouse")
    bare = nginx("204", bench.folder, "location / { return 204; }")
    for work, load in [("check with an API key", check_load(keys)),
                       ("check with an RS256 JWT", check_load(bench.issuer.token, "Authorization"))]:
        bench.compare(work, (ours, load), "nginx `return 204`", (bare, load), "≤ 1.5")
    ours.stop()
    bare.stop()


def sessions(bench):
    gate = bench.gate()
    signin.set_password(gate)
    ours = gate.serve("gatehouse")
    load = check_load(signin.session_cookie(gate, ours), "Cookie")
    bare = nginx("204", bench.folder, "location / { return 204; }")
    bench.compare("check with a session's cookie", (ours, load), "nginx `return 204`", (bare, load), "≤ 1.5")
    ours.stop()
    bare.stop()


def sign_ins(bench):
    gate = bench.gate()
    key = gate.add_keys(1).read_text().strip()
    signin.set_password(gate)
    ours = gate.serve("gatehouse")
    headers = [*CHECK, f"X-API-Key: {key}"]
    signin.storm_beside_checks(ours, "/.auth/check/nginx", headers, bench.options.seconds, bench.table)
    ours.stop()


def known_and_unknown(bench):
    """Whether times tell who has an account."""
    gate = bench.gate(more=strangers.SETTINGS)
    strangers.add_people(gate)
    ours = gate.serve("gatehouse")
    strangers.measure(ours, bench.table)
    ours.stop()


def inline(bench):
    gate = bench.gate()
    load = get_load(gate.add_keys(1))
    ours = gate.serve("gatehouse")
    server, http = forwarding(bench.origin.port)
    plain = nginx("proxy", bench.folder, server, http)
    bench.compare("proxied GET with an API key", (ours, load), "nginx `proxy_pass`", (plain, load), "≤ 1.0")
    for name, peer in [("Caddy", caddy(bench.folder, bench.origin.port)),
                       ("Traefik", traefik(bench.folder, bench.origin.port))]:
        if peer:
            bench.compare("proxied GET with an API key", (ours, load), f"{name}, which checks nothing", (peer, load), "≤ 0.2")
            peer.stop()
        else:
            bench.missing(name)
    ours.stop()
    plain.stop()


def jwt(bench):
    load = get_load(bench.issuer.token, "Authorization", "/jwt/page")
    ours = bench.gate().serve("gatehouse")
    key_set, port = bench.issuer.key_set, bench.origin.port
    peers = [
        ("HAProxy `jwt_verify`", lambda: haproxy(bench.folder, port, bench.issuer), "≤ 0.25"),
        ("nginx with auth-jwt", lambda: nginx_with_jwt(bench.folder, port, key_set), "≤ 0.2"),
        ("Envoy `jwt_authn`, its cache off", lambda: envoy(bench.folder, port, key_set, False), "≤ 0.15"),
        ("Envoy `jwt_authn`, its cache on", lambda: envoy(bench.folder, port, key_set, True), "≤ 0.15"),
    ]
    for name, start, goal in peers:
        peer = start()
        if peer:
            bench.compare("proxied GET with an RS256 JWT", (ours, load), name, (peer, load), goal)
            peer.stop()
        else:
            bench.missing(name)
    ours.stop()


def first_sight(bench):
    for algorithm in ("RS256", "ES256"):
        issuer = bench.issuer if algorithm == "RS256" else Issuer(bench.folder, algorithm)
        load = get_load(issuer.token, "Authorization", "/jwt/page")
        ours = bench.gate(key_set=issuer.key_set, assertion=False).serve("gatehouse", cache=False)
        peer = haproxy(bench.folder, bench.origin.port, issuer)
        bench.compare(f"proxied GET, {algorithm} JWT never seen before", (ours, load), "HAProxy `jwt_verify`",
                      (peer, load), "≤ 1.0")
        peer.stop()
        ours.stop()


def subrequest(bench):
    gate = bench.gate()
    keys = gate.add_keys(1)
    asked = gate.serve("gatehouse")
    static = nginx("204", bench.folder, "location / { return 204; }")
    server, http = forwarding(bench.origin.port)
    fronts = []
    for name, service, path in [("asking", asked, "/.auth/check/nginx"), ("asking-204", static, "/")]:
        http_part = http + f" upstream g {{ server 127.0.0.1:{service.port}; keepalive 64; keepalive_requests 100000000; }}"
        asks = f"""location = /gate {{ internal; proxy_pass http://g{path}; proxy_http_version 1.1;
            proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Connection "";
            proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
            proxy_set_header X-Original-Method $request_method; proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header Host $http_host; }}"""
        fronts.append(nginx(name, bench.folder, server.replace("{ ", "{ auth_request /gate; ", 1) + asks, http_part))
    load = get_load(keys)
    bench.compare("nginx with `auth_request` to Gatehouse, both processes", (Together(fronts[0], asked), load),
                  "the same asking nginx `return 204`", (Together(fronts[1], static), load), "none")
    for service in [*fronts, asked, static]:
        service.stop()


def bodies(bench):
    gate = bench.gate()
    keys = gate.add_keys(1)
    ours = gate.serve("gatehouse")
    server, http = forwarding(bench.origin.port)
    plain = nginx("proxy", bench.folder, server, http)
    for size in SIZES:
        load = get_load(keys, path=f"/bodies/{size.replace(' ', '')}", connections=8 if size == "10 MB" else 32)
        bench.compare(f"proxied GET of {size}", (ours, load), "nginx `proxy_pass`", (plain, load), "none")
    ours.stop()
    plain.stop()


def loops(bench):
    server, http = forwarding(bench.origin.port)
    for count in (1, 2):
        gate = bench.gate(workers=count)
        load = get_load(gate.add_keys(1))
        ours = gate.serve("gatehouse")
        plain = nginx("proxy", bench.folder, server, http, workers=count)
        bench.compare(f"proxied GET, {count} event loop{'s' if count > 1 else ''}", (ours, load),
                      f"nginx `proxy_pass`, {count} worker{'s' if count > 1 else ''}", (plain, load), "≤ 1.0")
        ours.stop()
        plain.stop()


def tls(bench):
    pair = make_pair(bench.folder)
    gate = bench.gate(pair=pair)
    key = gate.add_keys(1).read_text().strip()
    ours = gate.serve("gatehouse")
    server, http = forwarding(bench.origin.port)
    plain = nginx("proxy", bench.folder, server, http, pair=pair)
    for name, protocol, streams in [("HTTP/1.1", "h1", 1), ("HTTP/2", "h2", 1), ("HTTP/2, 10 streams", "h2", 10)]:
        load = SecureLoad("/page", [HOST, f"X-API-Key: {key}"], protocol, streams)
        bench.compare(f"proxied GET over TLS 1.3, {name}", (ours, load), "nginx `proxy_pass`", (plain, load), "none")
    ours.stop()
    plain.stop()


def latency(bench):
    """Half of what the slower side could do; the machine is shared with the load, so the 99th percentile says little
    that the median does not."""
    gate = bench.gate()
    key = gate.add_keys(1).read_text().strip()
    ours = gate.serve("gatehouse")
    server, http = forwarding(bench.origin.port)
    plain = nginx("proxy", bench.folder, server, http)
    rate, seconds = 4_000, bench.options.seconds
    for name, service, path, headers in [
        ("check", ours, "/.auth/check/nginx", CHECK), ("proxied GET", ours, "/page", [HOST]),
        ("nginx `proxy_pass`", plain, "/page", [HOST]),
    ]:
        taken = latencies(service, path, [*headers, f"X-API-Key: {key}"], rate, seconds)
        at = [taken[int(len(taken) * part)] / 1000 for part in (0.5, 0.99)]
        bench.table.note(f"{name} at {rate:,} requests a second: p50 {at[0]:.2f} ms, p99 {at[1]:.2f} ms")
    ours.stop()
    plain.stop()


def keys(bench):
    gates = []
    for count in (1000, bench.options.keys):
        gate = Gate(bench.binary, bench.folder / f"keys-{count}", free_port(), bench.issuer.key_set)
        gates.append((gate, gate.add_keys(count)))
    for cache in (True, False):
        few, many = [(gate.serve(f"gatehouse-{number}", cache), check_load(drawn))
                     for number, (gate, drawn) in enumerate(gates)]
        bench.compare(
            f"check, {min(DRAWN, bench.options.keys):,} of {bench.options.keys:,} keys drawn, cache {'on' if cache else 'off'}",
            many, "the same with 1,000 keys", few, "≤ 1.2")
        few[0].stop()
        many[0].stop()


def tunnels(bench):
    gate = bench.gate()
    key = gate.add_keys(1).read_text().strip()
    idle.measure(gate, key, bench.options.tunnels, bench.table)


GROUPS = {group.__name__.replace("_", "-"): group for group in (
    check, sessions, sign_ins, known_and_unknown, inline, jwt, first_sight, subrequest, bodies, loops, tls, latency, keys, tunnels)}
