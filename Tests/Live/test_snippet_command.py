"""What `gatehouse snippet` prints and refuses to print."""

import subprocess
from pathlib import Path

import pytest

from support.certificates import Authority
from support.gatehouse import free_ports
from support.proxies import KINDS, program


# The command


@pytest.fixture
def printing(make_gate):
    def make(*arguments, **settings):
        gate = make_gate(start=False, **({
            "trusted_proxies": ["127.0.0.1"], "upstreams": {"app": {"url": ["http://127.0.0.1:3000"]}},
            "routes": [{"name": "app", "host": ["app.example.com"], "upstream": "app",
                        "rules": [{"allow": "everyone"}]}]} | settings))
        return gate.cli("snippet", *arguments, check=False)
    return make


def test_wrong_usage_is_said(printing):
    for arguments in [["apache"], ["nginx", "--lua"], ["nginx", "--listen", "80"], ["nginx", "--listen", "a:b"],
                      ["nginx", "--listen", "a;b:80"], ["nginx", "--listen", ":0"], []]:
        result = printing(*arguments)
        assert result.returncode == 2 and result.stderr.strip() and not result.stdout, arguments


def test_what_has_to_be_done_by_hand_is_said(printing):
    route = {"name": "app", "host": ["app.example.com"], "paths": ["/a/**", "/b/*/c"], "rules": [{"allow": "everyone"}]}
    for name in KINDS:
        text = printing(name, trusted_proxies=[], routes=[route]).stdout
        assert "trusted_proxies is empty" in text.replace("\n#", ""), text
        assert "By hand: route app has no upstream" in text
        assert "stays open" in text.replace("\n# ", " ")


def test_a_proxy_that_cannot_name_a_route_gets_none_that_it_would_have_to_guess(printing):
    """Caddy and Envoy: which of two apps gets a request would not be what Gatehouse judged it by."""
    more = {"name": "more", "host": ["app.example.com"], "paths": ["/a/**", "/b/*/c"], "rules": [{"allow": "everyone"}]}
    wide = more | {"host": ["*.example.com"]}
    rest = {"name": "rest", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}
    for routes in [[more, rest], [wide, rest]]:
        for name in KINDS:
            result = printing(name, routes=routes)
            assert (result.returncode == 2) == (name in ("caddy", "envoy")), (name, result.stderr)
            assert result.returncode == 0 or "more" in result.stderr and not result.stdout


def test_every_listener_of_nginx_has_a_default_of_its_own(printing):
    """Its first server would be that otherwise, and would ask about a host that is not its own."""
    def routes(**other):
        return [{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "everyone"}]} | other]
    text = printing("nginx", public_url="https://auth.example.com").stdout
    assert "listen 443 ssl default_server;" in text and "ssl_reject_handshake on;" in text and "listen 80" not in text
    both = printing("nginx", public_url="https://auth.example.com", routes=routes(scheme="http")).stdout
    assert both.count("default_server;") == 2 and both.count("return 421;\n}") == 2, both
    anywhere = routes()[0] | {"name": "any"}
    del anywhere["host"]
    open_ = printing("nginx", "--listen", "0.0.0.0:80", routes=routes() + [anywhere]).stdout
    assert open_.count("listen 0.0.0.0:80 default_server;") == 1 and "return 421;\n}" not in open_


def test_every_route_is_named_where_the_proxy_can(printing):
    for name in ["nginx", "traefik", "haproxy"]:
        text = printing(name).stdout
        assert f"/.auth/check/{name}?route=app" in text and f"/.auth/check/{name} " not in text, text


def test_letters_of_a_prefix_are_no_pattern(printing):
    routes = [{"name": "app", "host": ["app.example.com"], "paths": ["/a[b].c/**"], "rules": [{"allow": "everyone"}]}]
    for name in ["nginx", "caddy", "traefik"]:
        assert r"^/a\[b\]\.c(/|$)" in printing(name, routes=routes).stdout


def test_https_routes_have_a_place_for_the_certificate(printing):
    result = printing("nginx", public_url="https://auth.example.com")
    assert "listen 443 ssl;" in result.stdout and "ssl_certificate_key" in result.stdout


def test_a_unix_socket_is_asked_where_the_proxy_can(printing, tmp_path):
    listen = [{"address": f"unix:{tmp_path}/gate.sock", "serve": ["check", "portal"]}]
    for name in ["nginx", "caddy", "envoy"]:
        assert f"{tmp_path}/gate.sock" in printing(name, listen=listen).stdout
    for name in ["traefik", "haproxy"]:
        assert printing(name, listen=listen).returncode == 2


# Apps behind TLS, and which listener is asked


VAULT = {
    "upstreams": {"app": {"url": ["https://10.0.0.5:8200"], "host": "upstream", "tls": {"server_name": "vault.internal"}}},
}


def test_an_apps_certificate_is_for_its_server_name(printing):
    expected = {
        "nginx": "proxy_ssl_name vault.internal;", "caddy": "tls_server_name vault.internal",
        "envoy": 'sni: "vault.internal"', "haproxy": "verifyhost vault.internal sni str(vault.internal)",
        "traefik": 'app-app: { serverName: "vault.internal" }',
    }
    for name, words in expected.items():
        text = printing(name, **VAULT).stdout
        assert words in text, (name, text)
        assert "vault.internal" not in printing(name).stdout
    assert "http-request set-header Host 10.0.0.5:8200" in printing("haproxy", **VAULT).stdout


def test_files_of_an_apps_tls_are_left_to_the_operator(printing, tmp_path):
    authority = Authority(tmp_path / "authority")
    settings = {"upstreams": {"app": {"url": ["https://10.0.0.5"], "tls": {"ca": str(authority.certificate)}}}}
    for name in KINDS:
        text = printing(name, **settings).stdout.replace("\n#", "")
        assert "upstream app has a `ca` or a certificate of its own" in text, text


def test_the_listener_that_a_proxy_can_use_is_asked(printing):
    ports = free_ports(3)
    plain, proxied, bare = ({"address": f"127.0.0.1:{port}"} for port in ports)
    proxied |= {"proxy_protocol": True}
    bare |= {"serve": ["check"]}
    for name in KINDS:
        for listen in ([plain, proxied, bare], [bare, proxied, plain]):
            text = printing(name, listen=listen).stdout
            assert str(ports[0]) in text and str(ports[1]) not in text and str(ports[2]) not in text, (name, text)
        text = printing(name, listen=[bare, proxied | {"serve": ["apps", "portal"]}]).stdout.replace("\n#", "")
        assert f"127.0.0.1:{ports[2]} does not serve portal: send /.auth/ and auth.example.com to a listener" in text
        assert "wants a PROXY protocol header" in printing(name, listen=[proxied]).stdout.replace("\n#", "")


def test_what_is_printed_is_good_to_the_proxy_itself(printing, tmp_path):
    """By the proxies' own checks of a configuration, without a warning where they would give one."""
    port = free_ports(1)[0]
    commands = {
        "nginx": ["nginx", "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"],
        "haproxy": ["haproxy", "-c", "-f", tmp_path / "haproxy.cfg"],
        "caddy": ["caddy", "validate", "--adapter", "caddyfile", "--config", tmp_path / "caddy"],
        "envoy": ["envoy", "--mode", "validate", "-c", tmp_path / "envoy.yaml"],
    }
    checked = []
    for name, [command, *arguments] in commands.items():
        if not program(command):
            continue
        text = printing(name, "--listen", f"127.0.0.1:{port}", **VAULT).stdout
        file = Path(arguments[-1])
        if name == "nginx":
            folders = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in (
                "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            text = f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{text}}}\n"
        if name == "haproxy":
            (tmp_path / "gatehouse.lua").write_text(printing("haproxy", "--lua").stdout)
            text = "defaults\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n" + text
        file.write_text(text)
        result = subprocess.run([program(command), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                                cwd=tmp_path)
        assert result.returncode == 0, (name, result.stdout + result.stderr)
        assert "[warn]" not in result.stderr.lower() or name == "envoy", (name, result.stderr)
        checked.append(name)
    assert checked, "no proxy is installed"
